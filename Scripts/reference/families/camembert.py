"""CamemBERT: RoBERTa by another name, with one approximate GELU: the head's stays exact."""

from .roberta import (
    CAUSAL,
    POST_NORM,
    SEQUENCES,
    checkpoint,
    draw,
    mistakes,
    position,
    recording,
    roberta,
    taps,
)

__all__ = [
    "CAUSAL",
    "POST_NORM",
    "SEQUENCES",
    "checkpoint",
    "draw",
    "mistakes",
    "position",
    "recording",
    "taps",
]

FIXTURES = {
    "camembert": (
        roberta(
            architectures=["CamembertForMaskedLM"],
            hidden_act="gelu_new",
            model_type="camembert",
        ),
        1,
        "one file",
    ),
}
