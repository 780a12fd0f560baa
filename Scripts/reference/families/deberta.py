"""DeBERTa version 1: a vector for each distance; queries, keys and values by head in one matrix."""

import torch

from ..family import Mistake, output_of
from . import deberta_v2
from .deberta_v2 import CAUSAL, POST_NORM, SEQUENCES, deberta, draw, position

__all__ = ["CAUSAL", "POST_NORM", "SEQUENCES", "draw", "position"]


def projections(attention, heads):
    """A head's rows of the one matrix are its query, its key, its value."""

    def part(number, bias):
        def cut(value):
            own = value.view(*value.shape[:2], heads, -1).transpose(1, 2).chunk(3, -1)[number]
            return own if bias is None else own + bias.view(1, heads, 1, -1)

        return cut

    biases = {"query": attention.q_bias, "key": None, "value": attention.v_bias}
    return {
        f"attention.{name}": output_of(attention.in_proj, part(number, bias))
        for number, (name, bias) in enumerate(biases.items())
    }


def taps(model):
    return deberta_v2.taps(model, projections)


def table_projections(attention):
    return getattr(attention, "pos_proj", None), getattr(attention, "pos_q_proj", None)


def wrong_terms(**wrong):
    return deberta_v2.wrong_terms("disentangled_att_bias", table_projections, **wrong)


def by_part(state):
    """The rows of the one matrix are read as all queries, all keys, all values."""
    for name in [name for name in state if name.endswith("in_proj.weight")]:
        value = state[name]
        parts = value.view(3, 4, -1, value.shape[1]).transpose(0, 1)
        state[name] = parts.reshape(value.shape).contiguous()


def mistakes(config):
    found = deberta_v2.shared_mistakes(config, taps, wrong_terms)
    if config["architectures"] == ["DebertaForMaskedLM"]:
        # Kept small: the rest is what version 2 computes, too.
        kept = ("mask", "no c2p", "no p2c", "p2c turned", "rows", "scale", "head bias")
        found = {name: found[name] for name in kept}
    return found | {"by part": Mistake(state=by_part)}


FIXTURES = {
    "deberta": (
        deberta(
            model_type="deberta",
            architectures=["DebertaForMaskedLM"],
            legacy=False,
            padding_idx=0,
            tie_word_embeddings=False,
        ),
        1,
        "one file",
    ),
    "deberta-headless": (
        deberta(
            model_type="deberta",
            architectures=["DebertaModel"],
            embedding_size=16,
            max_relative_positions=6,
            pos_att_type=["c2p"],
            position_biased_input=True,
            type_vocab_size=2,
        ),
        1,
        "one file",
    ),
}
