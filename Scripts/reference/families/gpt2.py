"""GPT-2: LayerNorm, learned positions, one fused projection, biases everywhere."""

import torch

from ..family import (
    VOCABULARY,
    Mistake,
    blocks,
    config_is,
    eager_attention,
    heads_of,
    input_of,
    no_causal_mask,
    output_of,
    swapped_heads,
    twice,
    without_biases,
)


def taps(model):
    body = model.transformer
    describe = lambda block: {
        "residual.middle": input_of(block.ln_2),
        "attention.heads": heads_of(block.attn.c_proj, model.config.n_head),
        "attention.output": output_of(block.attn),
        "feedForward.up": output_of(block.mlp.c_fc),
        "feedForward.hidden": input_of(block.mlp.c_proj),
        "feedForward.output": output_of(block.mlp.c_proj),
    }
    return blocks(body.h, describe) | {"finalNorm": output_of(body.ln_f)}


def recording(model, record):
    return eager_attention([block.attn for block in model.transformer.h])(model, record)


def mistakes(config):
    def later(inputs):
        inputs["position_ids"] = torch.arange(1, inputs["input_ids"].shape[1] + 1)[None]

    return {
        "mask": no_causal_mask(),
        "norm": twice(lambda model: [model.transformer.ln_f]),
        "heads": swapped_heads(taps),
        "biases": without_biases(),
        "positions": Mistake(inputs=later),
        "activation": config_is(activation_function="quick_gelu"),
    }


GPT2 = {
    "activation_function": "gelu_new",
    "architectures": ["GPT2LMHeadModel"],
    "attn_pdrop": 0.1,
    "bos_token_id": 96,
    "embd_pdrop": 0.1,
    "eos_token_id": 96,
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-05,
    "model_type": "gpt2",
    "n_ctx": 32,
    "n_embd": 24,
    "n_head": 4,
    "n_inner": None,
    "n_layer": 3,
    "n_positions": 32,
    "resid_pdrop": 0.1,
    "summary_activation": None,
    "summary_first_dropout": 0.1,
    "summary_proj_to_labels": True,
    "summary_type": "cls_index",
    "summary_use_proj": True,
    "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
    "vocab_size": VOCABULARY,
}

FIXTURES = {
    "gpt2": (GPT2 | {"n_inner": 40}, 24, "one file"),
    "gpt2-bare-names": (GPT2 | {"n_layer": 2}, 112, "bare names"),
}
