"""Writes Tests/Fixtures/models/smollm2-reference.json: what the default model must give."""

import hashlib
import json

import torch
from transformers import LlamaForCausalLM

import common

from . import capture, iglens
from .casts import everything_in

FRANCE = "The capital of France is"
EIFFEL = "The Eiffel Tower is in the city of"
ORDINARY = 500
STATES = [1, 7, 13, 18, 24, 30]  # hidden states of the published script, from 1 to 30, 6 of them
STEPS = 64
ENTRIES = [0, 17, 288, 575]

ABOUT = [
    "SmolLM2-135M-Instruct Q4_1, dequantised to float32 by the gguf package, run by transformers",
    "with eager attention in float64 and in float32. Layers count from 0.",
    "france: top ([id, text, probability]); residual[L]: norms (of the state after block L at each",
    "position; embedding_norms before block 0), last (entries of the last position's state, at the",
    "indices entries); chain: target prob of ' Paris' at the last position over all blocks,",
    "baseline mean: baseline_value, lens, observed, gauss (16 nodes in t), rank, entropy.",
    "answer: the same chain (lens, baseline_value, observed) for 8 greedy tokens, in one pass.",
    "iglens: the published script on the same run: states, and per token the contributions by the",
    "midpoint rule with 64 steps (gradient) and by observed changes, low to high; the last hidden",
    "state is normed twice; baseline: mean of the lowest state over all positions of the run.",
    "eiffel: top three.",
    "ordinary: probability of each actual next token of ordinary-text.txt (ids; the k-th number is",
    "p(ids[k + 1] | ids[0...k])), in float64. float32_error: the largest relative difference that",
    "transformers itself has in float32.",
]


def with_dtype(model, dtype):
    """The same weights, everything computed in `dtype`."""
    state = {name: value.to(dtype) for name, value in model.state_dict().items()}
    model.config._attn_implementation = "eager"
    with everything_in(dtype):
        rotary = type(model.model.rotary_emb)(model.config)
    with torch.device("meta"):
        other = LlamaForCausalLM(model.config)
    other.load_state_dict(state, assign=True)
    other.tie_weights()
    other.model.rotary_emb = rotary
    assert rotary.inv_freq.dtype == dtype
    return other.eval().requires_grad_(False)


def logits_of(model, ids, dtype):
    with torch.no_grad(), everything_in(dtype):
        return model(torch.tensor([ids]), use_cache=False).logits[0]


def top(tokenizer, logits, count):
    best = logits.softmax(-1).topk(count)
    return [
        [i, tokenizer.decode([i]), p]
        for p, i in zip(best.values.tolist(), best.indices.tolist())
    ]


def integral(function, start, end, nodes):
    """As iglens.integral, all nodes in one batch: the vocabulary is long."""
    times = torch.tensor([[t] for t, _ in nodes], dtype=start.dtype)
    weights = torch.tensor([w for _, w in nodes], dtype=start.dtype)
    states = (start + times * (end - start)).requires_grad_(True)
    (gradients,) = torch.autograd.grad(function(states).sum(), states)
    return (weights * (gradients @ (end - start))).sum().item()


def head_of(model, dtype):
    return iglens.Head(
        model.model.norm.weight.to(dtype),
        None,
        model.config.rms_norm_eps,
        model.lm_head.weight.to(dtype),
    )


def chain(head, states, position, token, details):
    """Target prob over all blocks with baseline mean."""
    read = lambda h: head.logits(h).softmax(-1)[..., token]
    layers = list(range(len(states) - 1))
    start = iglens.baseline("mean", states, position, 0, None)
    path = [start] + [states[layer + 1][position] for layer in layers]
    values = [read(state).item() for state in path]
    result = {
        "position": position,
        "token": token,
        "baseline_value": values[0],
        "lens": values[1:],
        "observed": [after - before for before, after in zip(values, values[1:])],
    }
    if details:
        nodes = iglens.gauss(16)
        result["gauss"] = [integral(read, a, b, nodes) for a, b in zip(path, path[1:])]
        rows = [iglens.lens(head, state, token) for state in path[1:]]
        result |= {key: [row[key] for row in rows] for key in ("rank", "entropy")}
    return result


def published(head, states, final, ids, first):
    hidden = [*states[:-1], final]
    rows = []
    for position in range(first, len(ids) - 1):
        token = ids[position + 1]
        read = lambda h: head.logits(h).softmax(-1)[..., token]
        path = [hidden[STATES[0]].mean(0)] + [hidden[number][position] for number in STATES]
        values = [read(state).item() for state in path]
        gradient = [integral(read, a, b, iglens.midpoints(STEPS)) for a, b in zip(path, path[1:])]
        rows.append(
            {
                "position": position,
                "token": token,
                "baseline_value": values[0],
                "final": values[-1],
                "difference": values[-1] - values[0],
                "gradient": gradient,
                "gradient_sum": sum(gradient),
                "observed": [after - before for before, after in zip(values, values[1:])],
            }
        )
    return {"states": STATES, "steps": STEPS, "rows": rows}


def numbers(model, tokenizer, dtype, greedy):
    """Everything but the ordinary text, in one precision."""
    head = head_of(model, dtype)
    prompt = tokenizer.encode(FRANCE).ids
    found = capture.sites(model, prompt, dtype)
    blocks = model.config.num_hidden_layers
    states_in = lambda f: [f["embedding"][0]] + [
        f[f"residual.{index}.after"][0] for index in range(blocks)
    ]
    states = states_in(found)
    last = len(prompt) - 1
    gap = (head.logits(states[-1]) - found["logits"][0]).abs().max().item()
    assert gap < (1e-10 if dtype == torch.float64 else 1e-3), gap
    france = {
        "top": top(tokenizer, found["logits"][0, -1], 5),
        "embedding_norms": states[0].norm(dim=-1).tolist(),
        "entries": ENTRIES,
        "residual": [
            {"norms": state.norm(dim=-1).tolist(), "last": state[last][ENTRIES].tolist()}
            for state in states[1:]
        ],
        "chain": chain(head, states, last, greedy[0], details=True),
    }
    run = prompt + greedy
    found = capture.sites(model, run, dtype)
    states = states_in(found)
    answer = [
        chain(head, states, position, run[position + 1], details=False)
        for position in range(last, len(run) - 1)
    ]
    eiffel = logits_of(model, tokenizer.encode(EIFFEL).ids, dtype)[-1]
    return {
        "france": france,
        "answer": answer,
        "iglens": published(head, states, found["finalNorm"][0], run, last),
        "eiffel": {"top": top(tokenizer, eiffel, 3)},
    }


def make(root, gguf_file, versions):
    tokenizer = common.tokenizer(gguf_file)
    single = with_dtype(common.load(gguf_file), torch.float32)
    double = with_dtype(single, torch.float64)
    prompt = tokenizer.encode(FRANCE).ids
    greedy = []
    for _ in range(8):
        greedy.append(int(logits_of(double, prompt + greedy, torch.float64)[-1].argmax()))

    text = (root / "ordinary-text.txt").read_text()
    ids = tokenizer.encode(text).ids[: ORDINARY + 1]
    assert len(ids) == ORDINARY + 1, "ordinary-text.txt is too short"
    actual = torch.tensor(ids[1:])[:, None]
    probabilities = {}
    for dtype, model in ((torch.float32, single), (torch.float64, double)):
        logits = logits_of(model, ids[:-1], dtype)
        probabilities[dtype] = logits.log_softmax(-1).gather(-1, actual)[:, 0].double().exp()
    exact = probabilities[torch.float64]
    error = ((probabilities[torch.float32] - exact).abs() / exact).max().item()
    print(f"smollm2: transformers float32 differs by {error:.1e} (relative) on {ORDINARY} tokens")

    document = {
        "about": ABOUT,
        "made": versions,
        "model_sha256": hashlib.sha256(gguf_file.read_bytes()).hexdigest(),
        "texts": {"france": FRANCE, "eiffel": EIFFEL, "answer": tokenizer.decode(greedy)},
        "ids": {
            "france": prompt,
            "eiffel": tokenizer.encode(EIFFEL).ids,
            "answer": greedy,
        },
        "float64": numbers(double, tokenizer, torch.float64, greedy),
        "float32": numbers(single, tokenizer, torch.float32, greedy),
        "ordinary": {
            "text": "ordinary-text.txt",
            "ids": ids,
            "probabilities": exact.tolist(),
            "float32_error": error,
        },
    }
    file = root / "smollm2-reference.json"
    file.write_text(json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n")
    print(f"smollm2-reference.json: {file.stat().st_size / 1e3:.0f} kB")
