"""BERT: post-norm blocks, learned positions, text types; what its relatives share is here too."""

import torch

from ..family import (
    VOCABULARY,
    Mistake,
    blocks,
    causal_mask,
    eager_attention,
    heads_of,
    input_of,
    output_of,
    swapped_heads,
    twice,
)

CAUSAL = False
POST_NORM = True
MASK = 4
SEQUENCES = [[2, 17, 96, MASK, 17, 0, 3], [2, 88, MASK, 71, 3]]


def position(ids):
    """The token that is masked."""
    return ids.index(MASK)


def body(model):
    """The encoder, within a model with a head or by itself."""
    return getattr(model, model.base_model_prefix, model)


def taps(model):
    def describe(block):
        return {
            "residual.middle": output_of(block.attention.output.LayerNorm),
            "attention.heads": heads_of(
                block.attention.output.dense, model.config.num_attention_heads
            ),
            "attention.output": output_of(block.attention.output.dense),
            "feedForward.up": output_of(block.intermediate.dense),
            "feedForward.hidden": input_of(block.output.dense),
            "feedForward.output": output_of(block.output.dense),
        }

    found = blocks(body(model).encoder.layer, describe)
    return found | ({"finalNorm": output_of(norm)} if (norm := head_norm(model)) else {})


HEAD_NORMS = (
    "cls.predictions.transform.LayerNorm",
    "generator_predictions.LayerNorm",
    "lm_head.layer_norm",
    "predictions.LayerNorm",
    "vocab_layer_norm",
)


def head_norm(model):
    """The norm of the masked-language-model head, where there is one."""
    for path in HEAD_NORMS:
        try:
            return model.get_submodule(path)
        except AttributeError:
            continue
    return None


def recording(model, record):
    return eager_attention([block.attention.self for block in body(model).encoder.layer])(
        model, record
    )


def positions_are(change):
    """`change(ids, the right positions)` takes the place of the positions."""

    def edit(inputs):
        ids = inputs["input_ids"]
        inputs["position_ids"] = change(ids, torch.arange(ids.shape[1])[None])

    return Mistake(inputs=edit)


def without(*endings):
    """One weight, under all its names, is zero."""

    def edit(state):
        found = [name for name in state if name.endswith(endings)]
        assert found, endings
        for name in found:
            state[name] = torch.zeros_like(state[name])

    return Mistake(state=edit)


def common_mistakes(taps, activation="activation", later=lambda _, right: right + 1):
    """What any post-norm encoder can get wrong; `activation` is its key in config.json."""
    middle = lambda model: [t.module for n, t in taps(model).items() if n.endswith(".middle")]

    return {
        "mask": causal_mask(),
        "norm": twice(lambda model: middle(model)[:1]),
        "heads": swapped_heads(taps),
        "positions": positions_are(later),
        "activation": Mistake(config=lambda config: exchange(config, activation)),
    }


def exchange(config, key):
    """The exact GELU for its approximation, or the other way round; without a head, for ReLU."""
    headed = config["architectures"][0].endswith("ForMaskedLM")
    other = {"gelu": "gelu_new", "gelu_new": "gelu", "relu": "gelu"}[config[key]]
    config[key] = other if headed else "relu"


def head_mistakes(config, norm=head_norm):
    """What the head can get wrong, where the model has one."""
    if not config["architectures"][0].endswith("ForMaskedLM"):
        return {}
    return {"head norm": twice(lambda model: [norm(model)])}


def type_mistakes():
    """The first text's vector dropped, or the second's in its place."""
    second = lambda inputs: inputs.update(token_type_ids=torch.ones_like(inputs["input_ids"]))
    return {
        "types": without("embeddings.token_type_embeddings.weight"),
        "second text": Mistake(inputs=second),
    }


def mistakes(config):
    found = common_mistakes(taps, "hidden_act") | head_mistakes(config) | type_mistakes()
    if "BertForMaskedLM" in config["architectures"]:
        found["head bias"] = without("cls.predictions.bias", "cls.predictions.decoder.bias")
    return found


def draw(name, noise):
    """Branches wide enough that an activation's approximation shows."""
    if name.endswith(("output.dense.weight", "ffn_output.weight", "lin2.weight")):
        return 0.5 * noise
    return None


def checkpoint(state, config):
    """A tied model as the oldest were published: gamma and beta, pooler, next-sentence head."""
    if not config["tie_word_embeddings"] or "BertModel" in config["architectures"]:
        return state
    older = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}

    def rename(name):
        for new, old in older.items():
            name = name.replace(new, old)
        return name

    old = {rename(name): value for name, value in state.items()}
    width = config["hidden_size"]
    return old | {
        "bert.embeddings.position_ids": torch.arange(config["max_position_embeddings"])[None],
        "bert.pooler.dense.weight": torch.eye(width),
        "bert.pooler.dense.bias": torch.zeros(width),
        "cls.seq_relationship.weight": torch.ones(2, width),
        "cls.seq_relationship.bias": torch.zeros(2),
    }


def bert(**changes):
    """BERT's config.json, with the keys that published ones have."""
    return {
        "architectures": ["BertForMaskedLM"],
        "attention_probs_dropout_prob": 0.1,
        "gradient_checkpointing": False,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": 24,
        "initializer_range": 0.02,
        "intermediate_size": 32,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": 24,
        "model_type": "bert",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "tie_word_embeddings": True,
        "transformers_version": "4.6.0.dev0",
        "type_vocab_size": 2,
        "use_cache": True,
        "vocab_size": VOCABULARY,
        **changes,
    }


FIXTURES = {
    "bert": (bert(), 1, "one file"),
    "bert-untied": (bert(tie_word_embeddings=False, hidden_act="relu"), 1, "one file"),
    "bert-headless": (
        bert(
            architectures=["BertModel"],
            classifier_dropout=None,
            directionality="bidi",
            hidden_act="gelu_new",
            layer_norm_eps=1e-5,
            pooler_fc_size=768,
            pooler_type="first_token_transform",
        ),
        1,
        "one file",
    ),
}
