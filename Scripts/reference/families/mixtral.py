"""Mixtral: Llama with several feed-forward networks, two of them chosen for each token."""

import torch

from ..family import (
    VOCABULARY,
    Tap,
    after,
    blocks,
    config_is,
    heads_of,
    input_of,
    output_of,
    reordered,
)
from .llama import common_mistakes, gated, recording

__all__ = ["recording"]


def shares(module, args, kwargs, output):
    """What each expert adds, and last what one adds that all tokens share.

    The experts run once more for each, with the others' weights zero.
    """
    hidden = args[0].flatten(0, 1)
    _, weights, chosen = module.gate.forward(hidden)
    parts = [
        module.experts.forward(hidden, chosen, weights * (chosen == expert))
        for expert in range(module.experts.num_experts)
    ]
    if hasattr(module, "shared_expert"):
        gate = module.shared_expert_gate.forward(hidden).sigmoid()
        parts.append(gate * module.shared_expert.forward(hidden))
    return torch.stack(parts, 1)[None]


def mixture(mlp):
    """The taps of a mixture of experts; of a plain gated network where a layer has that."""
    if not hasattr(mlp, "experts"):
        return gated(mlp)
    return {
        "feedForward.router": output_of(mlp.gate, lambda logits: logits[None]),
        "feedForward.experts": Tap(mlp, shares),
        "feedForward.output": output_of(mlp),
    }


def taps(model):
    heads = model.config.num_attention_heads
    describe = lambda block: {
        "residual.middle": input_of(block.post_attention_layernorm),
        "attention.heads": heads_of(block.self_attn.o_proj, heads),
        "attention.output": output_of(block.self_attn),
        **mixture(block.mlp),
    }
    return blocks(model.model.layers, describe) | {"finalNorm": output_of(model.model.norm)}


def mixtures(model):
    return [block.mlp for block in model.model.layers if hasattr(block.mlp, "experts")]


def not_normalised():
    """The chosen experts weigh what the softmax over all of them gives."""

    def raw(_, output):
        logits, _, chosen = output
        return logits, logits.softmax(-1).gather(-1, chosen), chosen

    return after(lambda model: [mlp.gate for mlp in mixtures(model)], raw)


def expert_mistakes():
    return {
        "expertOrder": reordered("experts.down_proj", lambda weight: weight.roll(1, 0)),
        "gateUp": reordered(
            "experts.gate_up_proj", lambda weight: weight.roll(weight.shape[1] // 2, 1)
        ),
        "oneExpert": config_is(num_experts_per_tok=1),
    }


def published(state, up, gate, down, room):
    """Every expert's weights apart, by the names of published checkpoints."""
    found = {}
    for name, value in state.items():
        if name.endswith(".experts.gate_up_proj"):
            for expert, both in enumerate(value):
                place = name.replace("mlp.experts.gate_up_proj", f"{room}.experts.{expert}.")
                found[f"{place}{gate}.weight"], found[f"{place}{up}.weight"] = both.chunk(2)
        elif name.endswith(".experts.down_proj"):
            for expert, own in enumerate(value):
                place = name.replace("mlp.experts.down_proj", f"{room}.experts.{expert}.")
                found[f"{place}{down}.weight"] = own
        else:
            found[name.replace(".mlp.", f".{room}.")] = value
    return found


def checkpoint(state, config):
    return published(state, up="w3", gate="w1", down="w2", room="block_sparse_moe")


MIXTRAL = {
    "architectures": ["MixtralForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 24,
    "initializer_range": 0.02,
    "intermediate_size": 12,
    "max_position_embeddings": 64,
    "model_type": "mixtral",
    "num_attention_heads": 4,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "num_local_experts": 4,
    "output_router_logits": False,
    "rms_norm_eps": 1e-05,
    "rope_theta": 1000000.0,
    "router_aux_loss_coef": 0.02,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.36.0.dev0",
    "use_cache": True,
    "vocab_size": VOCABULARY,
}


def mistakes(config):
    return common_mistakes(taps) | expert_mistakes() | {"router": not_normalised()}


FIXTURES = {"mixtral": (MIXTRAL, 1, "one file")}
