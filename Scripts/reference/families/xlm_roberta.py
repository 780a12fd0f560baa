"""XLM-RoBERTa: RoBERTa by another name."""

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
    "xlm-roberta": (
        roberta(
            architectures=["XLMRobertaForMaskedLM"],
            model_type="xlm-roberta",
            output_past=True,
        ),
        40,
        "two shards",
    ),
}
