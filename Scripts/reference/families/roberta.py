"""RoBERTa: BERT whose positions begin after the padding token's number, which pads take."""

import torch

from .bert import (
    CAUSAL,
    POST_NORM,
    bert,
    common_mistakes,
    draw,
    head_mistakes,
    positions_are,
    recording,
    taps,
    type_mistakes,
    without,
)

__all__ = ["CAUSAL", "POST_NORM", "draw", "recording", "taps"]

MASK = 96
# With padding tokens inside the text, of one model and of another.
SEQUENCES = [[0, 17, 1, MASK, 3, 1, 2], [0, MASK, 71, 2]]


def position(ids):
    return ids.index(MASK)


def counted(padding):
    """Mistakes of positions: one too far, and padding tokens counted like others."""

    def right(ids):
        kept = (ids != padding).long()
        return kept.cumsum(1) * kept + padding

    return {
        "positions": positions_are(lambda ids, _: right(ids) + 1),
        "padding counted": positions_are(lambda _, plain: plain + padding + 1),
    }


def mistakes(config):
    found = common_mistakes(taps, "hidden_act") | head_mistakes(config) | type_mistakes()
    if config["type_vocab_size"] == 1:
        del found["second text"]
    if "head norm" in found:
        found["head bias"] = without("lm_head.bias", "lm_head.decoder.bias")
    return found | counted(config["pad_token_id"])


def roberta(**changes):
    """RoBERTa's config.json."""
    config = bert(
        architectures=["RobertaForMaskedLM"],
        bos_token_id=0,
        eos_token_id=2,
        layer_norm_eps=1e-05,
        max_position_embeddings=26,
        model_type="roberta",
        pad_token_id=1,
        transformers_version="4.27.0.dev0",
        type_vocab_size=1,
    )
    return config | changes


def checkpoint(state, config):
    """With what published files carry beside: a pooler, position numbers, the head's copies."""
    if not config["architectures"][0].endswith("ForMaskedLM"):
        return state
    width = config["hidden_size"]
    return state | {
        "lm_head.decoder.weight": state["roberta.embeddings.word_embeddings.weight"].clone(),
        "lm_head.decoder.bias": state["lm_head.bias"].clone(),
        "roberta.embeddings.position_ids": torch.arange(config["max_position_embeddings"])[None],
        "roberta.pooler.dense.weight": torch.eye(width),
        "roberta.pooler.dense.bias": torch.zeros(width),
    }


FIXTURES = {
    "roberta": (roberta(), 1, "one file"),
    "roberta-headless": (
        roberta(architectures=["RobertaModel"], pad_token_id=3, type_vocab_size=2),
        1,
        "one file",
    ),
}
