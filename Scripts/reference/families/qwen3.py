"""Qwen 3: Llama with a norm on each query and key head before rope."""

from ..family import VOCABULARY, skipped
from .llama import common_mistakes, recording, taps

__all__ = ["recording", "taps"]

QWEN3 = {
    "architectures": ["Qwen3ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "head_dim": 8,
    "hidden_act": "silu",
    "hidden_size": 24,
    "initializer_range": 0.02,
    "intermediate_size": 20,
    "max_position_embeddings": 64,
    "max_window_layers": 2,
    "model_type": "qwen3",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 1000000,
    "sliding_window": None,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.51.0",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": VOCABULARY,
}


def head_norms():
    """The norms of each query and key head are left out."""
    return skipped(
        lambda model: [
            norm
            for block in model.model.layers
            for norm in (block.self_attn.q_norm, block.self_attn.k_norm)
        ]
    )


def mistakes(config):
    return common_mistakes(taps) | {"headNorms": head_norms()}


FIXTURES = {"qwen3": (QWEN3, 1, "one file")}
