"""ModernBERT: pre-norm blocks, two rotary bases, windows on both sides, a gated network."""

from ..family import (
    VOCABULARY,
    Mistake,
    blocks,
    causal_mask,
    config_is,
    eager_attention,
    heads_of,
    input_of,
    output_of,
    part,
    swapped_heads,
    twice,
)
from .bert import body, exchange, without

CAUSAL = False
MASK = 4
# Longer than the window.
SEQUENCES = [[1, 17, 96, MASK, 41, 60, 29, 2], [1, 88, MASK, 71, 2]]


def position(ids):
    return ids.index(MASK)


def taps(model):
    def describe(block):
        return {
            "residual.middle": input_of(block.mlp_norm),
            "attention.heads": heads_of(block.attn.Wo, model.config.num_attention_heads),
            "attention.output": output_of(block.attn.Wo),
            "feedForward.gate": output_of(block.mlp.Wi, part(0, 2)),
            "feedForward.up": output_of(block.mlp.Wi, part(1, 2)),
            "feedForward.hidden": input_of(block.mlp.Wo),
            "feedForward.output": output_of(block.mlp.Wo),
        }

    last = getattr(model, "head", None)
    norm = body(model).final_norm if last is None else last.norm
    return blocks(body(model).layers, describe) | {"finalNorm": output_of(norm)}


def recording(model, record):
    return eager_attention([block.attn for block in body(model).layers])(model, record)


def exchanged_bases(config):
    """Each kind of block turns with the other's base."""
    if "rope_parameters" in config:
        kinds = config["rope_parameters"]
        first, second = kinds["full_attention"], kinds["sliding_attention"]
        kinds["full_attention"], kinds["sliding_attention"] = second, first
    else:
        bases = config["global_rope_theta"], config["local_rope_theta"]
        config["local_rope_theta"], config["global_rope_theta"] = bases


def exchanged_halves(state):
    """The activation is applied to the other half of the network's input."""
    for name in [name for name in state if name.endswith("mlp.Wi.weight")]:
        state[name] = state[name].roll(state[name].shape[0] // 2, 0)
        if (bias := name.replace("weight", "bias")) in state:
            state[bias] = state[bias].roll(state[bias].shape[0] // 2, 0)


def first_norm(model):
    """The first block's attention reads a normalised stream, as the others' do."""
    layers = body(model).layers
    layers[0].attn_norm = layers[1].attn_norm


def mistakes(config):
    found = {
        "mask": causal_mask(),
        "window": config_is(local_attention=64),
        "narrow window": config_is(local_attention=config["local_attention"] - 2),
        "bases": Mistake(config=exchanged_bases),
        "halves": Mistake(state=exchanged_halves),
    }
    if config["architectures"] == ["ModernBertForMaskedLM"]:
        return found | {
            "norm": twice(lambda model: [body(model).final_norm]),
            "head norm": twice(lambda model: [model.head.norm]),
            "head bias": without("decoder.bias"),
        }
    return found | {
        "heads": swapped_heads(taps),
        "first norm": Mistake(model=first_norm),
        "activation": Mistake(config=lambda config: exchange(config, "hidden_activation")),
        "norm biases": without("norm.bias"),
    }


def modernbert(**changes):
    """ModernBERT's config.json, with the keys that published ones have, rope aside."""
    return {
        "architectures": ["ModernBertForMaskedLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "classifier_activation": "gelu",
        "classifier_bias": False,
        "classifier_dropout": 0.0,
        "classifier_pooling": "mean",
        "cls_token_id": 1,
        "decoder_bias": True,
        "deterministic_flash_attn": False,
        "embedding_dropout": 0.0,
        "eos_token_id": 2,
        "hidden_activation": "gelu",
        "hidden_size": 24,
        "initializer_cutoff_factor": 2.0,
        "initializer_range": 0.02,
        "intermediate_size": 28,
        "layer_norm_eps": 1e-05,
        "local_attention": 6,
        "max_position_embeddings": 64,
        "mlp_bias": False,
        "mlp_dropout": 0.0,
        "model_type": "modernbert",
        "norm_bias": False,
        "norm_eps": 1e-05,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "sep_token_id": 2,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "transformers_version": "4.47.0.dev0",
        "vocab_size": VOCABULARY,
        **changes,
    }


FIXTURES = {
    "modernbert": (
        modernbert(
            global_attn_every_n_layers=2, global_rope_theta=160000.0, local_rope_theta=100.0
        ),
        1,
        "one file",
    ),
    "modernbert-headless": (
        modernbert(
            architectures=["ModernBertModel"],
            attention_bias=True,
            layer_types=["sliding_attention", "full_attention", "sliding_attention"],
            mlp_bias=True,
            norm_bias=True,
            num_hidden_layers=3,
            rope_parameters={
                "full_attention": {"rope_theta": 160000.0, "rope_type": "default"},
                "sliding_attention": {"rope_theta": 100.0, "rope_type": "default"},
            },
        ),
        1,
        "one file",
    ),
}
