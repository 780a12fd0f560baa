"""Phi-3: Llama with fused projections and a rope whose factors depend on the length."""

from ..family import (
    VOCABULARY,
    blocks,
    config_is,
    heads_of,
    input_of,
    no_rope_scaling,
    output_of,
    part,
    reordered,
)
from .llama import common_mistakes, recording

__all__ = ["recording"]


def taps(model):
    heads = model.config.num_attention_heads
    describe = lambda block: {
        "residual.middle": input_of(block.post_attention_layernorm),
        "attention.heads": heads_of(block.self_attn.o_proj, heads),
        "attention.output": output_of(block.self_attn),
        "feedForward.gate": output_of(block.mlp.gate_up_proj, part(0, 2)),
        "feedForward.up": output_of(block.mlp.gate_up_proj, part(1, 2)),
        "feedForward.hidden": input_of(block.mlp.down_proj),
        "feedForward.output": output_of(block.mlp.down_proj),
    }
    return blocks(model.model.layers, describe) | {"finalNorm": output_of(model.model.norm)}


PHI3 = {
    "architectures": ["Phi3ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "embd_pdrop": 0.0,
    "eos_token_id": 96,
    "hidden_act": "silu",
    "hidden_size": 24,
    "initializer_range": 0.02,
    "intermediate_size": 20,
    "max_position_embeddings": 64,
    "model_type": "phi3",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 4,
    "original_max_position_embeddings": 64,
    "pad_token_id": 96,
    "resid_pdrop": 0.0,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "sliding_window": 4,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.40.2",
    "use_cache": True,
    "vocab_size": VOCABULARY,
}

# Sequence 0 is longer than the original context, sequence 1 shorter.
LONG = PHI3 | {
    "num_key_value_heads": 2,
    "original_max_position_embeddings": 8,
    "rope_scaling": {
        "long_factor": [1.5, 3.0, 6.0],
        "short_factor": [1.0, 1.25, 1.5],
        "type": "longrope",
    },
    "sliding_window": 262144,
}


def mistakes(config):
    found = common_mistakes(taps)
    found["gateUp"] = reordered("gate_up_proj", lambda weight: weight.roll(20, 0))
    if config["num_key_value_heads"] == 4:
        del found["grouping"]
    if config["sliding_window"] < 9:
        found["window"] = config_is(sliding_window=64)
    if config["rope_scaling"]:
        scaling = config["rope_scaling"]
        found["scaling"] = no_rope_scaling()
        found["shortFactors"] = config_is(rope_scaling={"long_factor": scaling["short_factor"]})
        found["attentionFactor"] = config_is(rope_scaling={"attention_factor": 1.0})
    return found


FIXTURES = {"phi3": (PHI3, 1, "one file"), "phi3-long-rope": (LONG, 1, "one file")}
