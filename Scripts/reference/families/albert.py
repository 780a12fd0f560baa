"""ALBERT: blocks that share weights, in groups whose members take turns."""

import torch

from ..family import Mistake, config_is, eager_attention, heads_of, input_of, output_of
from .bert import (
    CAUSAL,
    MASK,
    POST_NORM,
    SEQUENCES,
    bert,
    body,
    common_mistakes,
    draw,
    head_mistakes,
    head_norm,
    position,
    type_mistakes,
    without,
)

__all__ = ["CAUSAL", "MASK", "POST_NORM", "SEQUENCES", "draw", "position"]


def sequence(model):
    """The blocks in the order of their runs, each with the number of its run."""
    groups = body(model).encoder.albert_layer_groups
    rounds = model.config.num_hidden_layers
    found = []
    for number in range(rounds):
        group = groups[int(number / (rounds / len(groups)))]
        for block in group.albert_layers:
            found.append((block, sum(other is block for other, _ in found)))
    return found


def taps(model):
    found = {}
    for index, (block, call) in enumerate(sequence(model)):
        own = block.attention
        found |= {
            f"residual.{index}.before": input_of(block, call=call),
            f"residual.{index}.middle": output_of(own.LayerNorm, call=call),
            f"residual.{index}.after": output_of(block, call=call),
            f"attention.{index}.heads": again(
                heads_of(own.dense, model.config.num_attention_heads), call
            ),
            f"attention.{index}.output": output_of(own.dense, call=call),
            f"feedForward.{index}.up": output_of(block.ffn, call=call),
            f"feedForward.{index}.hidden": input_of(block.ffn_output, call=call),
            f"feedForward.{index}.output": output_of(block.ffn_output, call=call),
        }
    return found | ({"finalNorm": output_of(norm)} if (norm := head_norm(model)) else {})


def again(tap, call):
    """The same of a later call."""
    return type(tap)(tap.module, tap.read, tap.before, call)


def recording(model, record):
    return eager_attention([block.attention for block, _ in sequence(model)])(model, record)


def mistakes(config):
    found = common_mistakes(taps, "hidden_act") | head_mistakes(config) | type_mistakes()
    found["projection bias"] = without("embedding_hidden_mapping_in.bias")
    if "head norm" in found:
        found["head bias"] = without("predictions.bias", "predictions.decoder.bias")
    rounds = config["num_hidden_layers"]
    found["one block less"] = config_is(num_hidden_layers=rounds - 1)
    if config["num_hidden_groups"] == 2:
        found = common_mistakes(taps, "hidden_act")
        found["one group"] = config_is(num_hidden_groups=1)
        found["groups divided otherwise"] = Mistake(
            config=lambda config: config.update(num_hidden_groups=3),
            state=lambda state: moved(state, "groups.1.", "groups.2."),
        )
    if config["inner_group_num"] == 2:
        found["one member"] = config_is(inner_group_num=1, num_hidden_layers=2 * rounds)
        found["members one after the other"] = Mistake(
            config=lambda config: config.update(
                inner_group_num=1, num_hidden_groups=2, num_hidden_layers=2 * rounds
            ),
            state=lambda state: moved(state, "groups.0.albert_layers.1.", "groups.1.albert_layers.0."),
        )
    return found


def moved(state, old, new):
    """Weights under a second name."""
    for name in list(state):
        if old in name:
            state[name.replace(old, new)] = state[name]


def checkpoint(state, config):
    """With what published files carry beside: a pooler, the sentence-order head."""
    if "AlbertModel" in config["architectures"]:
        return state
    width = config["hidden_size"]
    return state | {
        "albert.pooler.weight": torch.eye(width),
        "albert.pooler.bias": torch.zeros(width),
        "predictions.decoder.bias": state["predictions.bias"].clone(),
        "sop_classifier.classifier.weight": torch.ones(2, width),
        "sop_classifier.classifier.bias": torch.zeros(2),
    }


def albert(**changes):
    """ALBERT's config.json."""
    config = bert(
        architectures=["AlbertForMaskedLM"],
        bos_token_id=2,
        classifier_dropout_prob=0.1,
        down_scale_factor=1,
        embedding_size=16,
        eos_token_id=3,
        gap_size=0,
        hidden_act="gelu_new",
        inner_group_num=1,
        model_type="albert",
        net_structure_type=0,
        num_hidden_groups=1,
        num_hidden_layers=3,
        num_memory_blocks=0,
    )
    for key in ("gradient_checkpointing", "use_cache", "position_embedding_type"):
        del config[key]
    return config | changes


FIXTURES = {
    "albert": (albert(), 1, "one file"),
    "albert-groups": (albert(num_hidden_groups=2, hidden_act="gelu"), 1, "one file"),
    "albert-members": (
        albert(architectures=["AlbertModel"], inner_group_num=2, num_hidden_layers=2),
        1,
        "one file",
    ),
}
