"""Llama, and the wiring that its many relatives share."""

from ..family import (
    VOCABULARY,
    blocks,
    config_is,
    eager_attention,
    heads_of,
    input_of,
    interleaved_groups,
    no_causal_mask,
    no_rope_scaling,
    output_of,
    rope_base,
    swapped_heads,
    twice,
    without_biases,
)


def taps(model):
    heads = model.config.num_attention_heads
    describe = lambda block: {
        "residual.middle": input_of(block.post_attention_layernorm),
        "attention.heads": heads_of(block.self_attn.o_proj, heads),
        "attention.output": output_of(block.self_attn),
        **gated(block.mlp),
    }
    return blocks(model.model.layers, describe) | {"finalNorm": output_of(model.model.norm)}


def gated(mlp):
    """The taps of a gated feed-forward network with separate projections."""
    return {
        "feedForward.gate": output_of(mlp.gate_proj),
        "feedForward.up": output_of(mlp.up_proj),
        "feedForward.hidden": input_of(mlp.down_proj),
        "feedForward.output": output_of(mlp.down_proj),
    }


def recording(model, record):
    return eager_attention([block.self_attn for block in model.model.layers])(model, record)


def common_mistakes(taps):
    """What every Llama-like model with grouped heads and rope can get wrong."""
    return {
        "mask": no_causal_mask(),
        "norm": twice(lambda model: [taps(model)["finalNorm"].module]),
        "heads": swapped_heads(taps),
        "grouping": interleaved_groups(),
        "rope": rope_base(),
    }


def mistakes(config):
    found = common_mistakes(taps)
    scaling = config.get("rope_scaling") or config.get("rope_parameters") or {}
    if "factor" in scaling:
        found["scaling"] = no_rope_scaling()
    if "yarn" in (scaling.get("type"), scaling.get("rope_type")):
        kept = "rope_scaling" if config.get("rope_scaling") else "rope_parameters"
        found["attentionFactor"] = config_is(**{kept: {"attention_factor": 1.0}})
    if config.get("attention_bias"):
        found["biases"] = without_biases()
    return found


def llama(**changes):
    """A Llama config.json in the spelling of transformers 4: `rope_theta` at the top."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": 24,
        "initializer_range": 0.02,
        "intermediate_size": 36,
        "max_position_embeddings": 64,
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "transformers_version": "4.46.3",
        "use_cache": True,
        "vocab_size": VOCABULARY,
        **changes,
    }


def llama5(rope_parameters, **changes):
    """The same in the spelling of transformers 5: `rope_parameters`, `dtype`."""
    config = llama(head_dim=6, **changes)
    for key in ("rope_scaling", "rope_theta", "torch_dtype"):
        del config[key]
    config |= {"dtype": "float32", "pad_token_id": None, "transformers_version": "5.9.0"}
    return config | {"rope_parameters": rope_parameters}


LLAMA3_ROPE = {
    "factor": 4.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    "original_max_position_embeddings": 8,
    "rope_type": "llama3",
}


def small(**changes):
    return llama(intermediate_size=20, head_dim=8, **changes)


def small5(rope_parameters):
    return llama5(rope_parameters) | {"intermediate_size": 20, "head_dim": 8}


YARN = {
    "beta_fast": 1.2,
    "beta_slow": 0.05,
    "factor": 4.0,
    "original_max_position_embeddings": 16,
    "type": "yarn",
}
YARN5 = {
    "beta_fast": 1.2,
    "beta_slow": 0.05,
    "factor": 4.0,
    "original_max_position_embeddings": 16,
    "rope_theta": 10000.0,
    "rope_type": "yarn",
}

# name: (config.json, seed of the weights, how the weights are stored)
FIXTURES = {
    "llama-grouped-untied": (
        llama(
            num_attention_heads=6,
            head_dim=8,
            num_hidden_layers=3,
            tie_word_embeddings=False,
        ),
        1,
        "one file",
    ),
    "llama-tied": (llama5({"rope_theta": 500.0, "rope_type": "default"}), 21, "one file"),
    "llama3-rope-scaling": (small(rope_scaling=LLAMA3_ROPE), 20, "one file"),
    "llama3-rope-parameters": (
        small5(LLAMA3_ROPE | {"rope_theta": 10000.0}),
        20,
        "one file",
    ),
    "llama-linear-rope": (
        llama(intermediate_size=20, rope_scaling={"factor": 3.0, "type": "linear"}),
        20,
        "one file",
    ),
    "llama-biases": (
        llama(attention_bias=True, mlp_bias=True, tie_word_embeddings=False),
        5,
        "one file",
    ),
    "llama-sharded": (
        llama(intermediate_size=20, tie_word_embeddings=False),
        6,
        "two shards",
    ),
    "llama-bfloat16-stored": (
        llama(intermediate_size=20, torch_dtype="bfloat16"),
        21,
        "bfloat16",
    ),
    "llama-dynamic-rope": (
        # A longer prompt than 6 tokens changes the base.
        small(max_position_embeddings=6, rope_scaling={"factor": 4.0, "type": "dynamic"}),
        1,
        "one file",
    ),
    "llama-yarn-rope": (small(rope_scaling=YARN), 1, "one file"),
    "llama-yarn-mscale": (
        small5(YARN5 | {"mscale": 1.5, "mscale_all_dim": 0.5, "truncate": False}),
        1,
        "one file",
    ),
    "llama-yarn-attention-factor": (small5(YARN5 | {"attention_factor": 1.3}), 1, "one file"),
}
