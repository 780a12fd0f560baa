"""Writes Tests/Fixtures/models/gemma3-reference.json: what Gemma 3 270M must give.

    .venv/bin/python Scripts/make-model-fixtures.py gemma3

The weights are under Google's Gemma terms and are not part of the project; only numbers are kept.
"""

import hashlib
import json

import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

from .casts import everything_in

LONG = 640  # longer than the window of 512
SHOWN = [0, 100, 510, 511, 512, 513, 514, 600, 639]
BEST = 20

ABOUT = [
    "Gemma 3 270M Q4_K_M, dequantised to float32 by the gguf package, run by transformers with eager",
    "attention in float64. Of each text: ids, and at some positions the 20 largest logits, as",
    "[position, ids, logits], and the norm of the state after each block at the last position.",
    "long is ordinary-text.txt over and over, in the longest pieces that the vocabulary has: longer",
    "than the window. float32_error: how far transformers itself is off in float32, as",
    "|difference| / (1 + |logit|).",
]

NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj",
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "post_ffw_norm": "post_feedforward_layernorm",
}


def name(stored):
    parts = stored.removesuffix(".weight").split(".")
    if parts[0] == "blk":
        return f"model.layers.{parts[1]}.{NAMES[parts[2]]}.weight"
    return {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}[parts[0]] + ".weight"


def load(reader, dtype):
    field = lambda key: reader.fields[f"gemma3.{key}"].contents()
    embedding = next(t for t in reader.tensors if t.name == "token_embd.weight")
    with everything_in(dtype):
        config = Gemma3TextConfig(
            vocab_size=int(embedding.shape[1]),
            hidden_size=field("embedding_length"),
            intermediate_size=field("feed_forward_length"),
            num_hidden_layers=field("block_count"),
            num_attention_heads=field("attention.head_count"),
            num_key_value_heads=field("attention.head_count_kv"),
            head_dim=field("attention.key_length"),
            max_position_embeddings=field("context_length"),
            rms_norm_eps=field("attention.layer_norm_rms_epsilon"),
            sliding_window=field("attention.sliding_window"),
            rope_parameters={
                "full_attention": {"rope_type": "default", "rope_theta": field("rope.freq_base")},
                "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
            },
            # Not in the file: Google's published configuration of this model.
            query_pre_attn_scalar=256,
            sliding_window_pattern=6,
        )
        config._attn_implementation = "eager"
        with torch.device("meta"):
            model = Gemma3ForCausalLM(config)
        rotary = type(model.model.rotary_emb)(config)
    state = {}
    for tensor in reader.tensors:
        value = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type)).to(dtype)
        # The file holds 1 + w.
        state[name(tensor.name)] = value - 1 if "norm" in tensor.name else value
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state, assign=True)
    model.tie_weights()
    model.model.rotary_emb = rotary
    model.model.embed_tokens.embed_scale = torch.tensor(config.hidden_size**0.5, dtype=dtype)
    return model.eval().requires_grad_(False)


def pieces(vocabulary, text):
    """The longest pieces of the vocabulary, one after the other."""
    text, ids = text.replace(" ", "▁"), []
    while text:
        size = next(n for n in range(min(24, len(text)), 0, -1) if text[:n] in vocabulary)
        ids.append(vocabulary[text[:size]])
        text = text[size:]
    return ids


def values(model, ids, dtype, positions):
    states = []
    hooks = [
        block.register_forward_hook(lambda _, __, out: states.append(out[0, -1].norm()))
        for block in model.model.layers
    ]
    with torch.no_grad(), everything_in(dtype):
        hidden = model.model(torch.tensor([ids]), use_cache=False).last_hidden_state[0]
        logits = model.lm_head(hidden[positions])
    for hook in hooks:
        hook.remove()
    return logits, [norm.item() for norm in states]


def make(root, gguf_file, versions):
    reader = GGUFReader(gguf_file)
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    vocabulary = {token: number for number, token in enumerate(tokens)}
    ordinary = (root / "ordinary-text.txt").read_text()
    texts = {
        "france": [2, *pieces(vocabulary, "The capital of France is")],
        "long": [2, *pieces(vocabulary, " ".join([ordinary] * 3))][:LONG],
    }
    positions = {"france": list(range(len(texts["france"]))), "long": SHOWN}
    found, norms, error = {}, {}, 0.0
    for dtype in (torch.float64, torch.float32):
        model = load(reader, dtype)
        for text, ids in texts.items():
            logits, states = values(model, ids, dtype, positions[text])
            if dtype == torch.float64:
                found[text], norms[text] = logits, states
            else:
                exact = found[text]
                error = max(error, ((logits - exact).abs() / (1 + exact.abs())).max().item())
        del model
    document = {
        "about": ABOUT,
        "made": versions,
        "model_sha256": hashlib.sha256(gguf_file.read_bytes()).hexdigest(),
        "float32_error": error,
        "texts": {
            text: {
                "ids": ids,
                "norms": norms[text],
                "top": [
                    [position, best.indices.tolist(), best.values.tolist()]
                    for position, row in zip(positions[text], found[text])
                    for best in [row.topk(BEST)]
                ],
            }
            for text, ids in texts.items()
        },
    }
    file = root / "gemma3-reference.json"
    file.write_text(json.dumps(document, separators=(",", ":")) + "\n")
    print(f"gemma3-reference.json: {file.stat().st_size / 1e3:.0f} kB, float32 {error:.1e}")
