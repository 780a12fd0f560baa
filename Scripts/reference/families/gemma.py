"""Gemma 1: norms that multiply by 1 + weight, a scaled embedding, a gated GELU."""

from ..family import VOCABULARY, after, config_is, reordered
from .llama import common_mistakes, recording, taps

__all__ = ["recording", "taps"]

GEMMA = {
    "architectures": ["GemmaForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 2,
    "eos_token_id": 1,
    "head_dim": 8,
    "hidden_act": "gelu_pytorch_tanh",
    "hidden_activation": None,
    "hidden_size": 24,
    "initializer_range": 0.02,
    "intermediate_size": 20,
    "max_position_embeddings": 64,
    "model_type": "gemma",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 1,
    "pad_token_id": 0,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.38.1",
    "use_cache": True,
    "vocab_size": VOCABULARY,
}


def draw(name, noise):
    return 0.2 * noise + 0.2 if "norm" in name else None  # 1 is added to it


def gemma_mistakes(taps):
    """What all Gemmas can get wrong beside what Llama can."""
    unscaled = lambda module, output: output / module.embed_scale
    return common_mistakes(taps) | {
        "embeddingScale": after(lambda model: [model.model.embed_tokens], unscaled),
        "normOffset": reordered("norm", lambda weight: weight - 1),
    }


def mistakes(config):
    found = gemma_mistakes(taps) | {"activation": config_is(hidden_act="silu")}
    if config["num_key_value_heads"] == 1:
        del found["grouping"]
    return found


FIXTURES = {"gemma": (GEMMA, 1, "one file")}
