"""Mistral: Llama with a sliding window in every block."""

from ..family import VOCABULARY, config_is
from .llama import common_mistakes, recording, taps

__all__ = ["recording", "taps"]


def mistakes(config):
    return common_mistakes(taps) | {"window": config_is(sliding_window=4096)}


MISTRAL = {
    "architectures": ["MistralForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "dtype": "float32",
    "eos_token_id": 2,
    "head_dim": 8,
    "hidden_act": "silu",
    "hidden_size": 24,
    "initializer_range": 0.02,
    "intermediate_size": 36,
    "max_position_embeddings": 64,
    "model_type": "mistral",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-05,
    "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
    "sliding_window": 4,
    "tie_word_embeddings": False,
    "transformers_version": "5.9.0",
    "use_cache": True,
    "vocab_size": VOCABULARY,
}

FIXTURES = {"mistral-window": (MISTRAL, 21, "one file")}
