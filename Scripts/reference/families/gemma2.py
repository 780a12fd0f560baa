"""Gemma 2: norms before and after each branch, soft-caps, a window in every other block."""

from ..family import VOCABULARY, blocks, config_is, heads_of, input_of, output_of, skipped
from .gemma import draw, gemma_mistakes
from .llama import gated, recording

__all__ = ["draw", "recording"]


def taps(model):
    heads = model.config.num_attention_heads
    describe = lambda block: {
        "residual.middle": input_of(block.pre_feedforward_layernorm),
        "attention.heads": heads_of(block.self_attn.o_proj, heads),
        "attention.output": output_of(block.post_attention_layernorm),
        **gated(block.mlp),
        "feedForward.output": output_of(block.post_feedforward_layernorm),
    }
    return blocks(model.model.layers, describe) | {"finalNorm": output_of(model.model.norm)}


def post_norms(model):
    return [
        norm
        for block in model.model.layers
        for norm in (block.post_attention_layernorm, block.post_feedforward_layernorm)
    ]


GEMMA2 = {
    "architectures": ["Gemma2ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "attn_logit_softcapping": 2.0,
    "bos_token_id": 2,
    "cache_implementation": "hybrid",
    "eos_token_id": 1,
    "final_logit_softcapping": 4.0,
    "head_dim": 8,
    "hidden_act": "gelu_pytorch_tanh",
    "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 24,
    "initializer_range": 0.02,
    "intermediate_size": 20,
    "max_position_embeddings": 64,
    "model_type": "gemma2",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "query_pre_attn_scalar": 6,
    "rms_norm_eps": 1e-06,
    "rope_theta": 10000.0,
    "sliding_window": 4,
    "torch_dtype": "float32",
    "transformers_version": "4.42.4",
    "use_cache": True,
    "vocab_size": VOCABULARY,
}


def mistakes(config):
    count = config["num_hidden_layers"]
    return gemma_mistakes(taps) | {
        "activation": config_is(hidden_activation="silu"),
        "attentionCap": config_is(attn_logit_softcapping=1e6),
        "logitCap": config_is(final_logit_softcapping=1e6),
        "queryScale": config_is(query_pre_attn_scalar=config["head_dim"]),
        "postNorms": skipped(post_norms),
        "window": config_is(sliding_window=64),
        "windowEverywhere": config_is(layer_types=["sliding_attention"] * count),
        "windowOrder": config_is(layer_types=["full_attention", "sliding_attention"]),
    }


FIXTURES = {"gemma2": (GEMMA2, 1, "one file")}
