#!/usr/bin/env python3
"""The tree to heads in PyTorch: path-mean gradients by autograd, then a score for every part.

    .venv/bin/python Benchmarks/Reference/tree_twin.py --model MODEL.gguf --threads 2

It reads one JSON object a line and answers each with one line, as iglens_twin.py does.

    {"task": "tree", "ids": [...], "answer": [...], "rule": "gauss", "nodes": 16}
        One forward pass of prompt and answer. Of each (answer token, block): the gradient of the
        token's probability at every node of the segment that ends at the block, through final norm
        and head; their weighted mean; its product with what attention, each head and the MLP wrote.
        rule: gauss (Gauss-Legendre) or midpoint. Baseline: mean of the state after block 0 over
        positions up to the explained one.
        "rows": states that go through the head at a time; the default was the fastest measured.
        "normalizer": softmax, log_softmax or logsumexp (one token's probability without the
        others'); the default, softmax, was the fastest: its backward pass needs no exponential.
        -> attributions, attention, mlp [token][block]; heads [token][block][head]; embedding
        [token] (embedding - baseline, a part of block 0's); baseline_values, final_values [token].
    {"task": "gradients", ...}            the same without the parts: path-mean gradients only
    {"task": "memory"}                    resident and peak memory of this process, in bytes

Any request may say "repeat": n and "warmup": m; the answer then has every time and the median.
"""

import numpy
import protocol  # first: it sets what transformers reads when it is imported
import torch

# Logits of 160 rows are just under 32 MB: the allocator keeps blocks of that size, where it gives
# larger ones back to the kernel and faults their pages in again at every batch. Measured in CPU
# time: 5.6 s with 160 rows, 7.0 s with 64, 6.1 s with 320, 7.3 s with 4,096 (log_softmax).
ROWS = 160
NORMALIZER = "softmax"


class Pieces:
    """The states after each block, and what attention and MLP wrote, of one forward pass."""

    @torch.no_grad()
    def __init__(self, model, ids):
        layers, kept = model.model.layers, {"state": [], "context": [], "attention": [], "mlp": []}
        keep = lambda name: lambda _, args, output: kept[name].append(output[0])
        hooks = []
        for layer in layers:
            hooks += [
                layer.register_forward_hook(keep("state")),
                layer.mlp.register_forward_hook(keep("mlp")),
                layer.self_attn.o_proj.register_forward_hook(keep("attention")),
                layer.self_attn.o_proj.register_forward_hook(
                    lambda _, args, __: kept["context"].append(args[0][0])
                ),
            ]
        embedding = model.model.embed_tokens(torch.tensor([ids]))
        try:
            model.model(inputs_embeds=embedding, use_cache=False)
        finally:
            for hook in hooks:
                hook.remove()
        self.embedding = embedding[0]  # position, width
        for name, values in kept.items():
            setattr(self, name, torch.stack(values))  # block, position, width


def rule(kind, count):
    """Nodes and weights on [0, 1]."""
    if kind == "midpoint":
        return (torch.arange(count) + 0.5) / count, torch.full((count,), 1 / count)
    assert kind == "gauss", kind
    nodes, weights = numpy.polynomial.legendre.leggauss(count)
    return torch.tensor((nodes + 1) / 2).float(), torch.tensor(weights / 2).float()


def probabilities(model, rows, tokens, normalizer):
    """Each row's probability of its token."""
    logits = model.lm_head(model.model.norm(rows))
    match normalizer:
        case "softmax":
            return logits.softmax(-1).gather(-1, tokens[:, None])[:, 0]
        case "log_softmax":
            return logits.log_softmax(-1).gather(-1, tokens[:, None])[:, 0].exp()
        case "logsumexp":
            return (logits.gather(-1, tokens[:, None])[:, 0] - logits.logsumexp(-1)).exp()
    raise ValueError(normalizer)


def mean_gradients(model, paths, tokens, request):
    """paths [token, state, width] → path-mean gradients [token, segment, width]."""
    start, change = paths[:, :-1], paths.diff(dim=1)
    count, segments, width = change.shape
    times, weights = rule(request.get("rule", "gauss"), request["nodes"])
    nodes = len(times)
    rows = (start[:, :, None] + times[:, None] * change[:, :, None]).reshape(-1, width)
    wanted = tokens.repeat_interleave(segments * nodes)
    size = request.get("rows", ROWS)
    gradients = torch.empty_like(rows)
    for some, own, into in zip(rows.split(size), wanted.split(size), gradients.split(size)):
        some = some.requires_grad_(True)
        total = probabilities(model, some, own, request.get("normalizer", NORMALIZER)).sum()
        into.copy_(torch.autograd.grad(total, some)[0])
    return torch.einsum("tsnw,n->tsw", gradients.view(count, segments, nodes, width), weights)


def prepare(model, request):
    """The forward pass, the explained positions, their tokens and paths."""
    ids, answer = request["ids"], request["answer"]
    pieces = Pieces(model, ids + answer[:-1])
    positions = torch.arange(len(ids) - 1, len(ids) - 1 + len(answer))
    means = pieces.state[0].cumsum(0)[positions] / (positions + 1)[:, None]
    paths = torch.cat([means[:, None], pieces.state[:, positions].transpose(0, 1)], dim=1)
    return pieces, positions, torch.tensor(answer), paths


def gradients(model, request):
    _, _, tokens, paths = prepare(model, request)
    found = mean_gradients(model, paths, tokens, request)
    return {"norms": found.norm(dim=-1).tolist()}


def tree(model, request):
    pieces, positions, tokens, paths = prepare(model, request)
    gradient = mean_gradients(model, paths, tokens, request)  # token, block, width
    with torch.no_grad():
        ends = torch.cat([paths[:, 0], paths[:, -1]])
        normalizer = request.get("normalizer", NORMALIZER)
        ends = probabilities(model, ends, tokens.repeat(2), normalizer).view(2, -1)
        # What the parts wrote, at the explained positions: token, block, width.
        at = lambda values: values[:, positions].transpose(0, 1)
        attention = (gradient * at(pieces.attention)).sum(-1)
        mlp = (gradient * at(pieces.mlp)).sum(-1)
        # <g, W_O[:, head] context> = <W_O[:, head]' g, context>: one product a block for all heads.
        back = torch.stack(
            [g @ layer.self_attn.o_proj.weight
             for g, layer in zip(gradient.unbind(1), model.model.layers)], dim=1
        )  # fmt: skip
        heads = (back * at(pieces.context)).unflatten(-1, (model.config.num_attention_heads, -1))
        heads = heads.sum(-1)
        embedding = (gradient[:, 0] * (pieces.embedding[positions] - paths[:, 0])).sum(-1)
        attributions = (gradient * paths.diff(dim=1)).sum(-1)
    return {
        "attributions": attributions.tolist(),
        "attention": attention.tolist(),
        "mlp": mlp.tolist(),
        "heads": heads.tolist(),
        "embedding": embedding.tolist(),
        "baseline_values": ends[0].tolist(),
        "final_values": ends[1].tolist(),
    }


if __name__ == "__main__":
    protocol.serve(__doc__.splitlines()[0], {"tree": tree, "gradients": gradients})
