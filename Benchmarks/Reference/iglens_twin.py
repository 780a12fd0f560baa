#!/usr/bin/env python3
"""The paper's IG-Lens procedure in PyTorch on transformers, as a process that answers requests.

    .venv/bin/python Benchmarks/Reference/iglens_twin.py --model MODEL.gguf --threads 2

It reads one JSON object a line and answers each with one line, so that a driver can take turns
between this process and another. Times are wall time of the task alone, in milliseconds.

    {"task": "explain", "ids": [...], "answer": [...], "estimator": "gradient", "steps": 64}
        answer given: one forward pass of prompt and answer, then every (token, segment, step) row
        through the final norm and the head. estimator: gradient (midpoint rule, autograd),
        observed (changes of the probability along the same grid), ends (no grid).
        "normalizer": "logsumexp" reads one token's probability without writing the others' down;
        the default, "log_softmax", is what one would write first.
    {"task": "explain", "ids": [...], "generate": 8, "decoding": "cache", ...}
        greedy generation first; decoding: cache (states are kept as they are made) or rerun
        (the whole prefix once more for each token).
    {"task": "forward", "ids": [...]}     logits at every position
    {"task": "greedy", "ids": [...], "count": 8}
    {"task": "memory"}                    resident and peak memory of this process, in bytes

Any request may say "repeat": n and "warmup": m; the answer then has every time and the median.
With --once TASKS.json (a list of requests) it answers those and exits.
"""

import protocol  # first: it sets what transformers reads when it is imported
import torch
from transformers import DynamicCache

import common

ROWS = 4096  # states that go through the head at a time


class States:
    """The residual stream after each block: the last one as it is before the final norm."""

    def __init__(self, model):
        self.model = model
        self.kept = [[] for _ in model.model.layers]
        self.hooks = [
            layer.register_forward_hook(lambda _, __, output, kept=kept: kept.append(output[0]))
            for layer, kept in zip(model.model.layers, self.kept)
        ]

    def close(self):
        """The states [layer, position, width] of everything that ran since."""
        for hook in self.hooks:
            hook.remove()
        return torch.stack([torch.cat(parts) for parts in self.kept])


@torch.no_grad()
def states_of(model, ids):
    states = States(model)
    model.model(torch.tensor([ids]), use_cache=False)
    return states.close()


@torch.no_grad()
def generate_with_cache(model, ids, count):
    """Greedy tokens, and the states of every position that predicted or preceded one."""
    states, cache, chosen = States(model), DynamicCache(config=model.config), []
    following = torch.tensor([ids])
    while True:
        output = model.model(following, past_key_values=cache, use_cache=True)
        chosen.append(int(model.lm_head(output.last_hidden_state[0, -1]).argmax()))
        if len(chosen) == count:
            return chosen, states.close()
        following = torch.tensor([[chosen[-1]]])


@torch.no_grad()
def generate_with_reruns(model, ids, count):
    """The same with the whole prefix run again for each token."""
    chosen = []
    for _ in range(count):
        states = States(model)
        output = model.model(torch.tensor([ids + chosen]), use_cache=False)
        chosen.append(int(model.lm_head(output.last_hidden_state[0, -1]).argmax()))
        kept = states.close()
    return chosen, kept


def log_probabilities(model, rows, tokens, normalizer):
    """log softmax(head(norm(row)))[token] for each row."""
    logits = model.lm_head(model.model.norm(rows))
    if normalizer == "logsumexp":
        return logits.gather(-1, tokens[:, None])[:, 0] - logits.logsumexp(-1)
    return logits.log_softmax(-1).gather(-1, tokens[:, None])[:, 0]


def probabilities(model, rows, tokens, normalizer):
    """The tokens' probabilities, rows in batches, no gradients."""
    with torch.no_grad():
        return torch.cat(
            [
                log_probabilities(model, some, own, normalizer).exp()
                for some, own in zip(rows.split(ROWS), tokens.split(ROWS))
            ]
        )


def attributions(model, paths, tokens, estimator, steps, normalizer):
    """paths [token, state, width] → attributions [token, segment], and f at every state."""
    start, change = paths[:, :-1], paths.diff(dim=1)  # token, segment, width
    count, segments, width = change.shape
    if estimator == "ends":
        ends = probabilities(
            model, paths.reshape(-1, width), tokens.repeat_interleave(segments + 1), normalizer
        ).view(count, segments + 1)
        return ends.diff(dim=1), ends
    if estimator == "observed":
        # A segment begins where the one before it ends: that state is read once.
        times = torch.arange(1, steps + 1) / steps
        grid = start[:, :, None] + times[:, None] * change[:, :, None]
        rows = torch.cat([paths[:, :1], grid.reshape(count, -1, width)], dim=1)
        wanted = tokens.repeat_interleave(segments * steps + 1)
        values = probabilities(model, rows.reshape(-1, width), wanted, normalizer).view(count, -1)
        observed = values.diff(dim=1).view(count, segments, steps).sum(-1)
        return observed, values[:, ::steps]
    assert estimator == "gradient", estimator
    times = (torch.arange(steps) + 0.5) / steps
    rows = (start[:, :, None] + times[:, None] * change[:, :, None]).reshape(-1, width)
    wanted = tokens.repeat_interleave(segments * steps)
    directional = []
    changes = change[:, :, None].expand(-1, -1, steps, -1).reshape(-1, width)
    for some, own, along in zip(rows.split(ROWS), wanted.split(ROWS), changes.split(ROWS)):
        some = some.detach().requires_grad_(True)
        total = log_probabilities(model, some, own, normalizer).exp().sum()
        (gradient,) = torch.autograd.grad(total, some)
        directional.append((gradient * along).sum(-1))
    integrals = torch.cat(directional).view(count, segments, steps).mean(-1)
    ends = probabilities(
        model,
        torch.cat([paths[:, 0], paths[:, -1]]),
        torch.cat([tokens, tokens]),
        normalizer,
    ).view(2, count)
    return integrals, ends.T


def explain(model, request):
    """Attribution of each answer token to each block; baseline: mean of the first chosen state."""
    ids = request["ids"]
    if "generate" in request:
        decode = {"cache": generate_with_cache, "rerun": generate_with_reruns}
        answer, states = decode[request.get("decoding", "cache")](model, ids, request["generate"])
    else:
        answer = request["answer"]
        states = states_of(model, ids + answer[:-1])
    chosen = request.get("layers", list(range(len(states))))
    states = states[chosen]  # state, position, width
    positions = torch.arange(len(ids) - 1, len(ids) - 1 + len(answer))
    means = states[0].cumsum(0)[positions] / (positions + 1)[:, None]
    paths = torch.cat([means[:, None], states[:, positions].transpose(0, 1)], dim=1)
    values, ends = attributions(
        model,
        paths,
        torch.tensor(answer),
        request["estimator"],
        request.get("steps"),
        request.get("normalizer", "log_softmax"),
    )
    return {
        "answer": answer,
        "baseline_values": ends[:, 0].tolist(),
        "final_values": ends[:, -1].tolist(),
        "attributions": values.tolist(),
    }


@torch.no_grad()
def forward(model, request):
    logits = model(torch.tensor([request["ids"]]), use_cache=False).logits
    return {"shape": list(logits.shape), "last_argmax": int(logits[0, -1].argmax())}


def greedy(model, request):
    return {"ids": generate_with_cache(model, request["ids"], request["count"])[0]}


if __name__ == "__main__":
    protocol.serve(
        __doc__.splitlines()[0], {"explain": explain, "forward": forward, "greedy": greedy}
    )
