"""ELECTRA: BERT with a narrower embedding; the generator has a head in its width."""

import torch

from .bert import (
    CAUSAL,
    MASK,
    POST_NORM,
    SEQUENCES,
    bert,
    common_mistakes,
    draw,
    head_mistakes,
    position,
    recording,
    taps,
    type_mistakes,
    without,
)

__all__ = ["CAUSAL", "MASK", "POST_NORM", "SEQUENCES", "draw", "position", "recording", "taps"]


def mistakes(config):
    found = common_mistakes(taps, "hidden_act") | head_mistakes(config) | type_mistakes()
    if "head norm" in found:
        found["head bias"] = without("generator_lm_head.bias")
    if config["embedding_size"] != config["hidden_size"]:
        found["projection bias"] = without("embeddings_project.bias")
    return found


def checkpoint(state, config):
    """The discriminator's encoder as published: in the model that tells replaced tokens."""
    if config["architectures"] != ["ElectraModel"]:
        return state
    width = config["hidden_size"]
    return {f"electra.{name}": value for name, value in state.items()} | {
        "discriminator_predictions.dense.weight": torch.eye(width),
        "discriminator_predictions.dense.bias": torch.zeros(width),
        "discriminator_predictions.dense_prediction.weight": torch.ones(1, width),
        "discriminator_predictions.dense_prediction.bias": torch.zeros(1),
        "electra.embeddings.position_ids": torch.arange(config["max_position_embeddings"])[None],
    }


def electra(**changes):
    """ELECTRA's config.json."""
    return bert(
        model_type="electra",
        summary_activation="gelu",
        summary_last_dropout=0.1,
        summary_type="first",
        summary_use_proj=True,
        **changes,
    )


FIXTURES = {
    "electra-generator": (
        electra(architectures=["ElectraForMaskedLM"], embedding_size=16, hidden_act="gelu_new"),
        1,
        "one file",
    ),
    "electra-discriminator": (
        electra(architectures=["ElectraModel"], embedding_size=24),
        1,
        "one file",
    ),
}
