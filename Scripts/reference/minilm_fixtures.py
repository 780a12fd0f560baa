"""Writes Tests/Fixtures/models/minilm-reference.json: what a published sentence encoder must give."""

import hashlib
import json
import math

import torch
from transformers import AutoTokenizer, BertModel

from .casts import everything_in

TEXTS = [
    "The Eiffel Tower is in Paris.",
    "Où est la bibliothèque?",
    "Bananas, unlike arithmetic, ripen faster in 1997-style paper bags.",
]
STRIDE = 37

ABOUT = [
    "all-MiniLM-L6-v2, run by transformers with eager attention in float64.",
    "texts: text, ids (with [CLS] and [SEP]); of the last block's output, for each position: entries",
    "(every stride-th, from 0 on), and dot, the sum of entry i times cos(i). float32_error: the",
    "largest |difference| / (1 + |value|) that transformers itself has in float32.",
]


def states(folder, ids, dtype):
    model = BertModel.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()
    with torch.no_grad(), everything_in(dtype):
        state = model(torch.tensor([ids])).last_hidden_state[0]
    return state.double()


def make(root, folder, versions):
    """Writes the file; `folder` is the published model's."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    texts, noise = [], 0.0
    for text in TEXTS:
        ids = tokenizer.backend_tokenizer.encode(text).ids
        exact = states(folder, ids, torch.float64)
        single = states(folder, ids, torch.float32)
        noise = max(noise, ((single - exact).abs() / (1 + exact.abs())).max().item())
        directions = torch.tensor([math.cos(i) for i in range(exact.shape[1])], dtype=torch.float64)
        texts.append(
            {
                "text": text,
                "ids": ids,
                "entries": exact[:, ::STRIDE].tolist(),
                "dot": (exact @ directions).tolist(),
            }
        )
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    stored = {
        "about": ABOUT,
        "made": versions,
        "sha256": digest,
        "stride": STRIDE,
        "texts": texts,
        "float32_error": noise,
    }
    path = root / "minilm-reference.json"
    path.write_text(json.dumps(stored, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB, float32 {noise:.1e}")
