"""Gemma 3, text: Gemma 2 without caps, with head norms and a rope base for each kind of layer."""

from ..family import VOCABULARY, Mistake, config_is, no_rope_scaling, skipped
from .gemma import draw, gemma_mistakes
from .gemma2 import post_norms, taps
from .llama import recording
from .qwen3 import head_norms

__all__ = ["draw", "recording", "taps"]

# As transformers 4.50 writes it: every third layer is global (in the real ones every sixth).
PATTERN = {
    "architectures": ["Gemma3ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "attn_logit_softcapping": None,
    "bos_token_id": 2,
    "cache_implementation": "hybrid",
    "eos_token_id": [1, 96],
    "final_logit_softcapping": None,
    "head_dim": 8,
    "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 24,
    "initializer_range": 0.02,
    "intermediate_size": 16,
    "max_position_embeddings": 64,
    "model_type": "gemma3_text",
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "query_pre_attn_scalar": 6,
    "rms_norm_eps": 1e-06,
    "rope_local_base_freq": 100,
    "rope_scaling": {"factor": 4.0, "rope_type": "linear"},
    "rope_theta": 10000,
    "sliding_window": 4,
    "sliding_window_pattern": 3,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.50.0.dev0",
    "use_cache": True,
    "vocab_size": VOCABULARY,
}

# As transformers 5 writes it.
KINDS = {
    key: value
    for key, value in PATTERN.items()
    if key
    not in (
        "cache_implementation",
        "rope_local_base_freq",
        "rope_scaling",
        "rope_theta",
        "sliding_window_pattern",
        "torch_dtype",
    )
} | {
    "_sliding_window_pattern": 6,
    "dtype": "bfloat16",
    "layer_types": ["sliding_attention", "full_attention"],
    "num_hidden_layers": 2,
    "rope_parameters": {
        "full_attention": {"factor": 4.0, "rope_theta": 10000.0, "rope_type": "linear"},
        "sliding_attention": {"rope_theta": 100.0, "rope_type": "default"},
    },
    "tie_word_embeddings": True,
    "transformers_version": "5.9.0",
    "use_bidirectional_attention": False,
}


def mistakes(config):
    count = config["num_hidden_layers"]

    def one_base(config):
        if "rope_parameters" in config:
            config["rope_parameters"]["sliding_attention"]["rope_theta"] = 10000.0
        else:
            config["rope_local_base_freq"] = 10000.0

    return gemma_mistakes(taps) | {
        "activation": config_is(hidden_activation="silu"),
        "headNorms": head_norms(),
        "localRope": Mistake(config=one_base),
        "postNorms": skipped(post_norms),
        "queryScale": config_is(query_pre_attn_scalar=config["head_dim"]),
        "scaling": no_rope_scaling(),
        "window": config_is(sliding_window=64),
        "windowEverywhere": config_is(layer_types=["sliding_attention"] * count),
    }


FIXTURES = {
    "gemma3": (PATTERN, 1, "one file"),
    "gemma3-rope-parameters": (KINDS, 1, "one file"),
}
