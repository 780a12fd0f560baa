"""DistilBERT: BERT without text types, in names of its own."""

from ..family import VOCABULARY, blocks, eager_attention, heads_of, input_of, output_of
from .bert import (
    CAUSAL,
    MASK,
    POST_NORM,
    SEQUENCES,
    body,
    common_mistakes,
    draw,
    head_mistakes,
    head_norm,
    position,
    without,
)

__all__ = ["CAUSAL", "MASK", "POST_NORM", "SEQUENCES", "draw", "position"]


def taps(model):
    describe = lambda block: {
        "residual.middle": output_of(block.sa_layer_norm),
        "attention.heads": heads_of(block.attention.out_lin, model.config.n_heads),
        "attention.output": output_of(block.attention.out_lin),
        "feedForward.up": output_of(block.ffn.lin1),
        "feedForward.hidden": input_of(block.ffn.lin2),
        "feedForward.output": output_of(block.ffn.lin2),
    }
    found = blocks(body(model).transformer.layer, describe)
    return found | ({"finalNorm": output_of(norm)} if (norm := head_norm(model)) else {})


def recording(model, record):
    return eager_attention([block.attention for block in body(model).transformer.layer])(
        model, record
    )


def mistakes(config):
    found = common_mistakes(taps, "activation") | head_mistakes(config)
    if "head norm" in found:
        found["head bias"] = without("vocab_projector.bias")
    return found


def distilbert(**changes):
    """DistilBERT's config.json."""
    return {
        "activation": "gelu",
        "architectures": ["DistilBertForMaskedLM"],
        "attention_dropout": 0.1,
        "dim": 24,
        "dropout": 0.1,
        "hidden_dim": 32,
        "initializer_range": 0.02,
        "max_position_embeddings": 24,
        "model_type": "distilbert",
        "n_heads": 4,
        "n_layers": 2,
        "pad_token_id": 0,
        "qa_dropout": 0.1,
        "seq_classif_dropout": 0.2,
        "sinusoidal_pos_embds": False,
        "tie_weights_": True,
        "transformers_version": "4.10.0.dev0",
        "vocab_size": VOCABULARY,
        **changes,
    }


FIXTURES = {
    "distilbert": (distilbert(), 1, "one file"),
    "distilbert-headless": (distilbert(architectures=["DistilBertModel"]), 1, "one file"),
}
