"""The encoder of T5: RMS norms, unscaled scores with a bias by distance. Switch is built on it."""

import contextlib

import torch

from ..family import (
    VOCABULARY,
    Mistake,
    blocks,
    heads_of,
    input_of,
    output_of,
    replaced,
    swapped_heads,
    twice,
)
from .deberta_v2 import split

CAUSAL = False
MODEL = "T5EncoderModel"
# Long enough for distances that share a bucket.
SEQUENCES = [[17, 96, 3, 41, 60, 29, 5, 31, 12, 7, 1], [88, 2, 71, 33, 1]]


def taps(model):
    return relative_taps(model, lambda block: network(block.layer[1].DenseReluDense))


def relative_taps(model, network):
    """`network(block)` gives the taps of a block's feed-forward part."""
    # Gradients are taken of the model's own embedding, whose weight the encoder's shares.
    model.encoder.embed_tokens = model.shared
    heads = model.config.num_attention_heads

    def describe(block):
        attention = block.layer[0].SelfAttention
        return {
            "residual.middle": input_of(block.layer[1].layer_norm),
            "attention.query": output_of(attention.q, split(heads)),
            "attention.key": output_of(attention.k, split(heads)),
            "attention.value": output_of(attention.v, split(heads)),
            "attention.heads": heads_of(attention.o, heads),
            "attention.output": output_of(attention.o),
            **network(block),
        }

    found = blocks(model.encoder.block, describe)
    return found | {"finalNorm": output_of(model.encoder.final_layer_norm)}


def network(module):
    found = {
        "feedForward.hidden": input_of(module.wo),
        "feedForward.output": output_of(module.wo),
    }
    if hasattr(module, "wi"):
        return found | {"feedForward.up": output_of(module.wi)}
    return found | {
        "feedForward.gate": output_of(module.wi_0),
        "feedForward.up": output_of(module.wi_1),
    }


@contextlib.contextmanager
def recording(model, record):
    """The pattern is what attention drops out of, block by block."""
    functional = torch.nn.functional
    right, seen = functional.dropout, []

    def dropout(value, *args, **kwargs):
        if value.dim() == 4:
            record(f"attention.{len(seen)}.pattern", value)
            seen.append(value)
        return right(value, *args, **kwargs)

    with replaced(functional, dropout=dropout):
        yield
    assert len(seen) == len(model.encoder.block), "an attention module did not run"


def first_attention(model):
    """The module that makes the bias of all blocks."""
    return model.encoder.block[0].layer[0].SelfAttention


def biased_by(change):
    """`change(bias)` takes the place of the bias [1, heads, query, key]."""

    def edit(model):
        right = first_attention(model).compute_bias
        first_attention(model).compute_bias = lambda *a, **options: change(right(*a, **options))

    return Mistake(model=edit)


def bucketed_by(**changes):
    """Distances are put into buckets by other rules."""

    def edit(model):
        right = first_attention(model)._relative_position_bucket
        other = lambda distance, **rules: right(distance, **(rules | changes))
        first_attention(model)._relative_position_bucket = other

    return Mistake(model=edit)


def scaled(state):
    """Scores are divided by the root of the heads' width, as elsewhere."""
    for name in [name for name in state if name.endswith("SelfAttention.q.weight")]:
        state[name] = state[name] / 6**0.5


def above(bias):
    """The bias and a mask of what comes later."""
    count = bias.shape[-1]
    later = torch.ones(count, count, dtype=torch.bool).triu(1)
    return bias.masked_fill(later, torch.finfo(bias.dtype).min)


def relative_mistakes(taps):
    first = lambda model: model.encoder.block[0].layer[0].layer_norm
    return {
        "mask": biased_by(above),
        "norm": twice(lambda model: [first(model)]),
        "heads": swapped_heads(taps),
        "scale": Mistake(state=scaled),
        "no bias": biased_by(lambda bias: 0 * bias),
        "turned": biased_by(lambda bias: bias.transpose(-1, -2)),
        "one side": bucketed_by(bidirectional=False),
        "farthest": bucketed_by(max_distance=12),
    }


def mistakes(config):
    activation = lambda config: config.update(feed_forward_proj="gated-relu")
    return relative_mistakes(taps) | {"activation": Mistake(config=activation)}


def draw(name, noise):
    """Scores that are not scaled need small queries, and a bias as large; norms need large words."""
    if name in ("shared.weight", "encoder.embed_tokens.weight"):
        return noise
    if name.endswith("SelfAttention.q.weight"):
        return 0.08 * noise
    return noise if name.endswith("relative_attention_bias.weight") else None


def checkpoint(state, config):
    """As published: with a decoder, and the head that reads it."""
    width = config["d_model"]
    return state | {
        "decoder.final_layer_norm.weight": torch.ones(width),
        "decoder.embed_tokens.weight": state["shared.weight"].clone(),
        "lm_head.weight": torch.ones(VOCABULARY, width),
    }


def relative(**changes):
    """The keys of a config.json that T5 and Switch have in common."""
    return {
        "d_ff": 36,
        "d_kv": 6,
        "d_model": 24,
        "decoder_start_token_id": 0,
        "dropout_rate": 0.1,
        "eos_token_id": 1,
        "initializer_factor": 1.0,
        "is_encoder_decoder": True,
        "layer_norm_epsilon": 1e-06,
        "num_decoder_layers": 1,
        "num_heads": 4,
        "num_layers": 2,
        "output_past": True,
        "pad_token_id": 0,
        "relative_attention_max_distance": 20,
        "relative_attention_num_buckets": 8,
        "vocab_size": VOCABULARY,
        **changes,
    }


FIXTURES = {
    "t5-gated": (
        relative(
            architectures=["T5ForConditionalGeneration"],
            feed_forward_proj="gated-gelu",
            model_type="t5",
            n_positions=64,
            tie_word_embeddings=False,
        ),
        1,
        "one file",
    ),
}
