"""StableLM: Llama with LayerNorm, rope on a part of each head, optional parallel branches."""

from ..family import (
    VOCABULARY,
    blocks,
    config_is,
    heads_of,
    input_of,
    output_of,
    sequential,
    skipped,
    without_biases,
)
from .llama import common_mistakes, gated, recording

__all__ = ["recording"]


def taps(model):
    def describe(block):
        found = {
            "attention.heads": heads_of(block.self_attn.o_proj, model.config.num_attention_heads),
            "attention.output": output_of(block.self_attn),
            **gated(block.mlp),
        }
        if not model.config.use_parallel_residual:
            found["residual.middle"] = input_of(block.post_attention_layernorm)
        return found

    return blocks(model.model.layers, describe) | {"finalNorm": output_of(model.model.norm)}


STABLELM = {
    "architectures": ["StableLmForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 96,
    "eos_token_id": 96,
    "hidden_act": "silu",
    "hidden_dropout": 0.0,
    "hidden_size": 32,
    "initializer_range": 0.02,
    "intermediate_size": 12,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 64,
    "model_type": "stablelm",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 4,
    "partial_rotary_factor": 0.5,
    "qk_layernorm": False,
    "rope_scaling": None,
    "rope_theta": 10000,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.40.0",
    "use_cache": True,
    "use_parallel_residual": False,
    "use_qkv_bias": True,
    "vocab_size": VOCABULARY,
}
PARALLEL = STABLELM | {
    "num_key_value_heads": 2,
    "qk_layernorm": True,
    "use_parallel_residual": True,
    "use_qkv_bias": False,
}


def mistakes(config):
    layers = lambda model: model.model.layers
    found = common_mistakes(taps)
    found["partialRotary"] = config_is(partial_rotary_factor=1.0)
    if config["num_key_value_heads"] == config["num_attention_heads"]:
        del found["grouping"]
    if config["use_qkv_bias"]:
        found["biases"] = without_biases(["_proj.bias"])
    if config["use_parallel_residual"]:
        found["sequential"] = sequential(
            lambda model: [
                (block, block.self_attn, block.mlp, block.input_layernorm)
                for block in layers(model)
            ]
        )
    if config["qk_layernorm"]:
        found["headNorms"] = skipped(
            lambda model: [
                norm
                for block in layers(model)
                for norm in (block.self_attn.q_layernorm, block.self_attn.k_layernorm)
            ]
        )
    return found


FIXTURES = {
    "stablelm": (STABLELM, 1, "one file"),
    "stablelm-parallel": (PARALLEL, 1, "one file"),
}
