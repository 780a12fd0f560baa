"""Qwen 2: Llama with biases on query, key and value."""

from ..family import VOCABULARY, config_is, without_biases
from .llama import common_mistakes, recording, taps

__all__ = ["recording", "taps"]


def mistakes(config):
    found = common_mistakes(taps) | {"biases": without_biases()}
    if config["use_sliding_window"]:
        count = config["num_hidden_layers"]
        found["window"] = config_is(layer_types=["full_attention"] * count)
        found["windowEverywhere"] = config_is(layer_types=["sliding_attention"] * count)
    return found


QWEN2 = {
    "architectures": ["Qwen2ForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 24,
    "initializer_range": 0.02,
    "intermediate_size": 36,
    "max_position_embeddings": 64,
    "max_window_layers": 2,
    "model_type": "qwen2",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0,
    "sliding_window": 4096,
    "tie_word_embeddings": True,
    "torch_dtype": "float32",
    "transformers_version": "4.43.1",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": VOCABULARY,
}

# The window of the layers from `max_window_layers` on, as transformers 4 writes it.
WINDOW = QWEN2 | {
    "intermediate_size": 20,
    "max_window_layers": 1,
    "sliding_window": 4,
    "use_sliding_window": True,
}
# The same, as transformers 5 writes it; here the first layer has the window.
LAYER_TYPES = {
    **{key: value for key, value in WINDOW.items() if key not in ("rope_theta", "torch_dtype")},
    "dtype": "float32",
    "layer_types": ["sliding_attention", "full_attention"],
    "pad_token_id": None,
    "rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"},
    "tie_word_embeddings": False,
    "transformers_version": "5.9.0",
}

FIXTURES = {
    "qwen2": (QWEN2, 21, "one file"),
    "qwen2-window": (WINDOW, 1, "one file"),
    "qwen2-layer-types": (LAYER_TYPES, 1, "one file"),
}
