"""Falcon: parallel branches; one key-value head and one norm, or groups and two norms."""

import contextlib

from ..family import (
    VOCABULARY,
    Mistake,
    blocks,
    config_is,
    heads_of,
    input_of,
    no_causal_mask,
    output_of,
    replaced,
    reordered,
    sequential,
    source,
    swapped_heads,
    twice,
)


def taps(model):
    body = model.transformer
    describe = lambda block: {
        "attention.heads": heads_of(block.self_attention.dense, model.config.num_attention_heads),
        "attention.output": output_of(block.self_attention),
        "attention.pattern": output_of(block.self_attention, number=1),
        "feedForward.up": output_of(block.mlp.dense_h_to_4h),
        "feedForward.hidden": input_of(block.mlp.dense_4h_to_h),
        "feedForward.output": output_of(block.mlp.dense_4h_to_h),
    }
    return blocks(body.h, describe) | {"finalNorm": output_of(body.ln_f)}


def group(model):
    """How many copies of each key-value head there are where query and key meet."""
    settings = model.config
    new = settings.new_decoder_architecture
    return settings.num_attention_heads // settings.num_kv_heads if new else 1


@contextlib.contextmanager
def recording(model, record):
    """Query and key leave rope, values leave the cut into heads."""
    rotate, attention = source(model).apply_rotary_pos_emb, source(model).FalconAttention
    split = attention._split_heads
    rotated, cut = [], []

    def rotating(query, key, *args, **kwargs):
        query, key = rotate(query, key, *args, **kwargs)
        record(f"attention.{len(rotated)}.query", query)
        record(f"attention.{len(rotated)}.key", key[:, :: group(model)])
        rotated.append(1)
        return query, key

    def splitting(module, fused):
        query, key, value = split(module, fused)
        record(f"attention.{len(cut)}.value", value.transpose(1, 2)[:, :: group(model)])
        cut.append(1)
        return query, key, value

    with replaced(source(model), apply_rotary_pos_emb=rotating):
        with replaced(attention, _split_heads=splitting):
            yield
    assert len(rotated) == len(cut) == model.config.num_hidden_layers


FALCON7 = {
    "alibi": False,
    "apply_residual_connection_post_layernorm": False,
    "architectures": ["FalconForCausalLM"],
    "attention_dropout": 0.0,
    "bias": False,
    "bos_token_id": 11,
    "eos_token_id": 11,
    "hidden_dropout": 0.0,
    "hidden_size": 24,
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-05,
    "model_type": "falcon",
    "multi_query": True,
    "new_decoder_architecture": False,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "parallel_attn": True,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.27.4",
    "use_cache": True,
    "vocab_size": VOCABULARY,
}
NEW = FALCON7 | {
    "bias": True,
    "ffn_hidden_size": 40,
    "max_position_embeddings": 64,
    "new_decoder_architecture": True,
    "num_kv_heads": 2,
    "rope_theta": 500.0,
    "tie_word_embeddings": False,
    "transformers_version": "4.44.0",
}
del NEW["multi_query"]
# As GGUF files say it: no biases, the usual base, four times the width.
PLAIN = NEW | {"bias": False, "rope_theta": 10000.0}
del PLAIN["ffn_hidden_size"]


def mistakes(config):
    new = config["new_decoder_architecture"]
    norm = lambda block: block.ln_mlp if new else block.input_layernorm
    found = {
        "mask": no_causal_mask(),
        "norm": twice(lambda model: [model.transformer.ln_f]),
        "heads": swapped_heads(taps),
        "rope": config_is(rope_theta=40000.0),
        "activation": config_is(activation="quick_gelu"),
        "sequential": sequential(
            lambda model: [
                (block, block.self_attention, block.mlp, norm(block))
                for block in model.transformer.h
            ]
        ),
    }
    if new:

        @contextlib.contextmanager
        def interleaved(model):
            attention = source(model).FalconAttention
            split = attention._split_heads

            def splitting(module, fused):
                query, key, value = split(module, fused)
                wrong = lambda part: part[:, :, :: group(model)].repeat(1, 1, group(model), 1)
                return query, wrong(key), wrong(value)

            with replaced(attention, _split_heads=splitting):
                yield

        def exchange(state):
            for name in [name for name in state if ".ln_attn." in name]:
                other = name.replace(".ln_attn.", ".ln_mlp.")
                state[name], state[other] = state[other], state[name]

        found["fusedOrder"] = reordered("query_key_value", _whole_parts)
        found["grouping"] = Mistake(around=interleaved)
        found["norms"] = Mistake(state=exchange)
    return found


def _whole_parts(fused):
    """Rows read as all queries, all keys, all values instead of group by group."""
    flat = fused.unflatten(0, (8, -1))  # taken for 4 queries, 2 keys, 2 values
    return flat[[0, 1, 4, 6, 2, 3, 5, 7]].flatten(0, 1)


FIXTURES = {
    "falcon": (FALCON7, 1, "one file"),
    "falcon-new": (NEW, 1, "one file"),
    "falcon-new-plain": (PLAIN, 1, "one file"),
}
