"""SmolLM3: Llama with some layers that have no rope."""

from ..family import VOCABULARY, config_is
from .llama import common_mistakes, recording, taps

__all__ = ["recording", "taps"]

SMOLLM3 = {
    "architectures": ["SmolLM3ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 24,
    "initializer_range": 0.02,
    "intermediate_size": 20,
    "layer_types": ["full_attention"] * 4,
    "max_position_embeddings": 64,
    "max_window_layers": 28,
    "mlp_bias": False,
    "model_type": "smollm3",
    "no_rope_layer_interval": 4,
    "no_rope_layers": [1, 1, 1, 0],
    "num_attention_heads": 4,
    "num_hidden_layers": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 3,
    "pretraining_tp": 2,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 50000.0,
    "sliding_window": None,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.54.0",
    "use_cache": False,
    "use_sliding_window": False,
    "vocab_size": VOCABULARY,
}


def mistakes(config):
    return common_mistakes(taps) | {"ropeEverywhere": config_is(no_rope_layers=[1, 1, 1, 1])}


FIXTURES = {"smollm3": (SMOLLM3, 1, "one file")}
