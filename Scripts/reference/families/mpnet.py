"""MPNet: RoBERTa without text types, with a relative bias that all blocks share."""

import torch

from ..family import Mistake, blocks, heads_of, input_of, output_of, replaced
from .bert import CAUSAL, POST_NORM, body, common_mistakes, draw, head_mistakes, head_norm, without
from .roberta import counted, roberta

__all__ = ["CAUSAL", "POST_NORM", "draw"]

MASK = 40
# Long enough for buckets that several distances share.
SEQUENCES = [[0, 17, 1, 3, MASK, 35, 1, 6, 29, 5, 31, 12, 2], [0, 28, MASK, 11, 2]]


def position(ids):
    return ids.index(MASK)


def taps(model):
    heads = model.config.num_attention_heads
    cut = lambda value: value.view(*value.shape[:2], heads, -1).transpose(1, 2)
    describe = lambda block: {
        "residual.middle": output_of(block.attention.LayerNorm),
        "attention.query": output_of(block.attention.attn.q, cut),
        "attention.key": output_of(block.attention.attn.k, cut),
        "attention.value": output_of(block.attention.attn.v, cut),
        "attention.pattern": input_of(block.attention.attn.dropout),
        "attention.heads": heads_of(block.attention.attn.o, heads),
        "attention.output": output_of(block.attention.attn.o),
        "feedForward.up": output_of(block.intermediate.dense),
        "feedForward.hidden": input_of(block.output.dense),
        "feedForward.output": output_of(block.output.dense),
    }
    found = blocks(body(model).encoder.layer, describe)
    return found | ({"finalNorm": output_of(norm)} if (norm := head_norm(model)) else {})


BIAS = "encoder.relative_attention_bias.weight"


def turned(state):
    """Keys ahead get what is for keys behind."""
    (name,) = [name for name in state if name.endswith(BIAS)]
    order = torch.arange(32)
    order[1:16], order[17:] = torch.arange(17, 32), torch.arange(1, 16)
    state[name] = state[name][order]


def nearer(model):
    """All distances from 64 on share a bucket, instead of those from 128 on."""
    encoder = body(model).encoder
    bucket = encoder.relative_position_bucket
    near = lambda distance, num_buckets: bucket(distance, num_buckets, max_distance=64)
    return replaced(encoder, relative_position_bucket=near)


def first_layer_only(model):
    """The bias is added in the first block alone."""
    for block in list(body(model).encoder.layer)[1:]:
        block.attention.attn.register_forward_pre_hook(
            lambda module, args: (args[0], args[1], None)
        )


def mistakes(config):
    found = common_mistakes(taps, "hidden_act") | head_mistakes(config) | counted(1)
    found |= {
        "no bias": without(BIAS),
        "bias turned": Mistake(state=turned),
        "buckets": Mistake(around=nearer),
        "bias in the first block": Mistake(model=first_layer_only),
    }
    if "head norm" in found:
        found["head bias"] = without("lm_head.bias", "lm_head.decoder.bias")
    return found


def checkpoint(state, config):
    """With what published files carry beside."""
    if config["architectures"] == ["MPNetModel"]:
        return state
    width = config["hidden_size"]
    return state | {
        "mpnet.embeddings.position_ids": torch.arange(config["max_position_embeddings"])[None],
        "mpnet.pooler.dense.weight": torch.eye(width),
        "mpnet.pooler.dense.bias": torch.zeros(width),
    }


def mpnet(**changes):
    """MPNet's config.json."""
    config = roberta(
        architectures=["MPNetForMaskedLM"],
        model_type="mpnet",
        relative_attention_num_buckets=32,
        vocab_size=41,
    )
    for key in ("type_vocab_size", "use_cache", "position_embedding_type"):
        del config[key]
    return config | changes


FIXTURES = {
    "mpnet": (mpnet(), 1, "one file"),
    "mpnet-headless": (mpnet(architectures=["MPNetModel"]), 1, "one file"),
}
