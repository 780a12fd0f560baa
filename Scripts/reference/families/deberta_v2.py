"""DeBERTa versions 2 and 3: scores that depend on distance; what version 1 shares is here too."""

import contextlib

import torch

from ..family import (
    VOCABULARY,
    Mistake,
    blocks,
    config_is,
    heads_of,
    input_of,
    output_of,
    replaced,
    skipped,
    source,
)
from .bert import CAUSAL, POST_NORM, body, common_mistakes, draw, twice, without

__all__ = ["CAUSAL", "POST_NORM", "draw"]

MASK = 4
# Long enough for distances that share a bucket.
SEQUENCES = [[1, 17, 96, MASK, 41, 60, 29, 2], [1, 88, MASK, 71, 2]]


def position(ids):
    return ids.index(MASK)


def head_norm(model):
    """The norm of the masked-language-model head, by the name of either head."""
    for path in ("cls.predictions.transform.LayerNorm", "lm_predictions.lm_head.LayerNorm"):
        with contextlib.suppress(AttributeError):
            return model.get_submodule(path)
    return None


def split(heads):
    """[1, position, width] as [1, heads, position, headWidth]."""
    return lambda value: value.view(*value.shape[:2], heads, -1).transpose(1, 2)


def projections(attention, heads):
    """Where queries, keys and values are read; the same modules make the table's afterwards."""
    return {
        "attention.query": output_of(attention.query_proj, split(heads)),
        "attention.key": output_of(attention.key_proj, split(heads)),
        "attention.value": output_of(attention.value_proj, split(heads)),
    }


def taps(model, projections=projections):
    encoder = body(model).encoder
    heads = model.config.num_attention_heads
    convolution = getattr(encoder, "conv", None)

    def describe(block):
        found = {
            "residual.middle": output_of(block.attention.output.LayerNorm),
            **projections(block.attention.self, heads),
            "attention.pattern": input_of(block.attention.self.dropout),
            "attention.heads": heads_of(block.attention.output.dense, heads),
            "attention.output": output_of(block.attention.output.dense),
            "feedForward.up": output_of(block.intermediate.dense),
            "feedForward.hidden": input_of(block.output.dense),
            "feedForward.output": output_of(block.output.dense),
        }
        if convolution is not None and block is encoder.layer[0]:
            found["residual.after"] = output_of(convolution)
        return found

    found = blocks(encoder.layer, describe)
    return found | ({"finalNorm": output_of(norm)} if (norm := head_norm(model)) else {})


# The terms by distance, written out element by element, so that they can be made wrongly.


def table_projections(attention):
    """What makes keys and queries of the table of distances, where there are such terms."""
    if attention.share_att_key:
        return attention.key_proj, attention.query_proj
    return getattr(attention, "pos_key_proj", None), getattr(attention, "pos_query_proj", None)


def wrong_terms(method="disentangled_attention_bias", project=table_projections, **wrong):
    """The scores' terms by distance with one thing wrong; see `terms`."""

    def edit(model):
        encoder = body(model).encoder
        for block in encoder.layer:
            attention = block.attention.self
            right = getattr(attention, method)
            span = getattr(attention, "pos_ebd_size", attention.max_relative_positions)

            def bias(query, key, relative, table, factor, attention=attention, right=right):
                def own(**wrong):
                    return terms(
                        query, key, relative, table, factor, span, project(attention),
                        attention.pos_att_type, **wrong,
                    )

                expected = right(query, key, relative, table, factor)
                assert (own() - expected).abs().max() < 1e-12, "the terms written out are wrong"
                return own(**wrong)

            setattr(attention, method, bias)

    return Mistake(model=edit)


def terms(
    query, key, relative, table, factor, span, project, kinds, left_out="", turned=False, shift=0,
    plain=False,
):
    """Σ over the kinds of terms; query and key are [(1,) heads, position, headWidth].

    `left_out` is a kind, `turned` exchanges key and query in the distance of p2c, `shift` moves the
    rows, `plain` takes distances as they are.
    """
    heads, count, width = query.shape[-3:]
    scale = (width * factor) ** 0.5
    before = query.dim() == 4  # version 1 has scaled the queries already
    relative = relative.view(count, count)
    if plain:
        relative = torch.arange(count)[:, None] - torch.arange(count)[None]
    rows = (relative + span + shift).clamp(0, 2 * span - 1)
    total = torch.zeros(heads, count, count, dtype=query.dtype)
    for kind, projection, content in zip(("c2p", "p2c"), project, (query, key)):
        if kind not in kinds or kind == left_out:
            continue
        by_row = projection(table).view(-1, heads, width)
        place = rows.T if kind == "p2c" and turned else rows
        letters = "hqd,qkhd->hqk" if kind == "c2p" else "hkd,qkhd->hqk"
        score = torch.einsum(letters, content.view(heads, count, width), by_row[place])
        total = total + (score if kind == "c2p" and before else score / scale)
    return total.view(*query.shape[:-1], count)


def causal(model):
    encoder = body(model).encoder
    triangle = lambda mask: torch.ones(2 * (mask.shape[-1],)).tril()[None, None]
    return replaced(encoder, get_attention_mask=triangle)


def scaled_by(change):
    """Another number of terms in the scale."""

    def around(model):
        right = source(model).scaled_size_sqrt
        return replaced(
            source(model), scaled_size_sqrt=lambda layer, factor: right(layer, change(factor))
        )

    return Mistake(around=around)


def shared_mistakes(config, taps, terms_with):
    """What any version can get wrong; `taps` and `terms_with` are its own."""
    found = common_mistakes(taps, "hidden_act") | {"mask": Mistake(around=causal)}
    if not config["position_biased_input"]:
        del found["positions"]
    kinds = config["pos_att_type"] or []
    if config["relative_attention"]:
        for kind in ("c2p", "p2c"):
            if kind in kinds:
                found[f"no {kind}"] = terms_with(left_out=kind)
        if "p2c" in kinds:
            found["p2c turned"] = terms_with(turned=True)
        found["rows"] = terms_with(shift=1)
        found["scale"] = scaled_by(lambda factor: 1)
    if config.get("type_vocab_size"):
        found["types"] = without("embeddings.token_type_embeddings.weight")
    if config["architectures"][0].endswith("ForMaskedLM"):
        found["head norm"] = twice(lambda model: [head_norm(model)])
        found["head bias"] = without(
            "cls.predictions.bias", "cls.predictions.decoder.bias", "lm_predictions.lm_head.bias"
        )
    return found


def flipped(state):
    """The convolution looks the other way."""
    (name,) = [name for name in state if name.endswith("conv.conv.weight")]
    state[name] = state[name].flip(-1)


def mistakes(config):
    found = shared_mistakes(config, taps, wrong_terms)
    if config.get("position_buckets", -1) < 0:
        return found
    # Two fixtures share what there is, so that each stays small.
    if not config.get("conv_kernel_size"):
        kept = ("mask", "heads", "no c2p", "no p2c", "p2c turned", "rows")
        return {name: found[name] for name in kept} | {"no buckets": wrong_terms(plain=True)}
    kept = ("norm", "scale", "head norm", "head bias")
    return {name: found[name] for name in kept} | {
        "table norm": skipped(lambda model: [body(model).encoder.LayerNorm]),
        "no convolution": config_is(conv_kernel_size=0),
        "convolution": Mistake(state=flipped),
    }


def checkpoint(state, config):
    """As published: with positions that the configuration leaves out, and another task's head."""
    if config["model_type"] == "deberta" or "DebertaV2Model" in config["architectures"]:
        return state
    width = config["hidden_size"]
    unused = {"mask_predictions.dense.weight": torch.eye(width)}
    if not config["position_biased_input"]:
        positions = torch.ones(config["max_position_embeddings"], width)
        unused["deberta.embeddings.position_embeddings.weight"] = positions
    return state | unused


def deberta(**changes):
    """A config.json of either version, with the keys that published ones have."""
    return {
        "architectures": ["DebertaV2ForMaskedLM"],
        "attention_probs_dropout_prob": 0.1,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": 24,
        "initializer_range": 0.02,
        "intermediate_size": 36,
        "layer_norm_eps": 1e-7,
        "max_position_embeddings": 24,
        "max_relative_positions": -1,
        "model_type": "deberta-v2",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "pad_token_id": 0,
        "pooler_dropout": 0,
        "pooler_hidden_act": "gelu",
        "pos_att_type": "p2c|c2p",
        "position_biased_input": False,
        "relative_attention": True,
        "type_vocab_size": 0,
        "vocab_size": VOCABULARY,
        **changes,
    }


V3 = {"norm_rel_ebd": "layer_norm", "position_buckets": 6, "share_att_key": True}

FIXTURES = {
    "deberta-v3": (deberta(max_relative_positions=8, **V3), 1, "one file"),
    "deberta-v2-convolution": (
        deberta(
            attention_head_size=6,
            conv_act="gelu",
            conv_kernel_size=3,
            legacy=False,
            pos_att_type=["c2p", "p2c"],
            tie_word_embeddings=False,  # transformers reads no tied model with this head
            **V3,
        ),
        1,
        "one file",
    ),
    "deberta-v2-separate": (
        deberta(
            architectures=["DebertaV2Model"],
            max_relative_positions=6,
            pos_att_type="p2c",
            position_biased_input=True,
            type_vocab_size=2,
        ),
        1,
        "one file",
    ),
    "deberta-v2-absolute": (
        deberta(
            embedding_size=16,
            position_biased_input=True,
            relative_attention=False,
            tie_word_embeddings=False,
        ),
        1,
        "one file",
    ),
}
