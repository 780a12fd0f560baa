"""GPT-NeoX: parallel branches (or sequential ones), rope on a part of each head, fused heads."""

import torch

from ..family import (
    VOCABULARY,
    blocks,
    config_is,
    eager_attention,
    heads_of,
    input_of,
    no_causal_mask,
    output_of,
    reordered,
    rope_base,
    swapped_heads,
    twice,
    without_biases,
)


def taps(model):
    body = model.gpt_neox

    def describe(block):
        found = {
            "attention.heads": heads_of(block.attention.dense, model.config.num_attention_heads),
            "attention.output": output_of(block.attention),
            "feedForward.up": output_of(block.mlp.dense_h_to_4h),
            "feedForward.hidden": input_of(block.mlp.dense_4h_to_h),
            "feedForward.output": output_of(block.mlp.dense_4h_to_h),
        }
        if not model.config.use_parallel_residual:
            found["residual.middle"] = input_of(block.post_attention_layernorm)
        return found

    return blocks(body.layers, describe) | {"finalNorm": output_of(body.final_layer_norm)}


def recording(model, record):
    return eager_attention([block.attention for block in model.gpt_neox.layers])(model, record)


def checkpoint(state, config):
    """Published checkpoints keep masks and rope's frequencies beside the weights."""
    count = config["max_position_embeddings"]
    state = dict(state)
    for layer in range(config["num_hidden_layers"]):
        attention = f"gpt_neox.layers.{layer}.attention."
        state[attention + "bias"] = torch.ones(1, 1, count, count, dtype=torch.bool).tril()
        state[attention + "masked_bias"] = torch.tensor(-1e9)
        state[attention + "rotary_emb.inv_freq"] = torch.tensor([1.0, 0.01])
    return state


NEOX = {
    "architectures": ["GPTNeoXForCausalLM"],
    "bos_token_id": 0,
    "classifier_dropout": 0.1,
    "eos_token_id": 0,
    "hidden_act": "gelu",
    "hidden_size": 32,
    "initializer_range": 0.02,
    "intermediate_size": 20,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 32,
    "model_type": "gpt_neox",
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "rotary_emb_base": 10000,
    "rotary_pct": 0.25,
    "tie_word_embeddings": False,
    "torch_dtype": "float16",
    "transformers_version": "4.24.0",
    "use_cache": True,
    "use_parallel_residual": True,
    "vocab_size": VOCABULARY,
}


def mistakes(config):
    heads = config["num_attention_heads"]

    def whole_parts(weight):
        """Rows read as all queries, all keys, all values instead of head by head."""
        return weight.unflatten(0, (3, heads, -1)).transpose(0, 1).flatten(0, 2)

    return {
        "mask": no_causal_mask(),
        "norm": twice(lambda model: [model.gpt_neox.final_layer_norm]),
        "heads": swapped_heads(taps),
        "rope": rope_base(),
        "biases": without_biases(),
        "activation": config_is(hidden_act="quick_gelu"),
        "fusedOrder": reordered("query_key_value", whole_parts),
        "parallel": config_is(use_parallel_residual=not config["use_parallel_residual"]),
        "partialRotary": config_is(rotary_pct=1.0),
    }


FIXTURES = {
    "gpt-neox": (NEOX, 1, "one file"),
    "gpt-neox-sequential": (
        NEOX | {"hidden_size": 24, "use_parallel_residual": False, "rotary_pct": 0.5},
        1,
        "one file",
    ),
}
