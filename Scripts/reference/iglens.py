"""IG-Lens from its definition, slowly: autograd at every node, plain loops, float64.

f(h) = target(softmax(U N(h) + c)) is the readout of one state. A path b → r_l1 → … → r_lk runs
over the chosen layers; layer −1 is the embedding and r_l the state after block l. Each segment is
credited to the layer that it ends at.
"""

import dataclasses

import numpy
import torch

TARGETS = ["prob", "logprob", "logit", "prob-diff", "logit-diff", "entropy", "kl"]
BASELINES = ["mean", "mean-all", "mean-nosink", "zero", "embedding", "final-of"]


@dataclasses.dataclass
class Head:
    """The final norm and the unembedding: `bias` None makes it an RMSNorm."""

    scale: torch.Tensor
    shift: torch.Tensor | None
    epsilon: float
    unembedding: torch.Tensor
    constant: torch.Tensor | None = None
    cap: float | None = None
    layer_norm: bool = False

    def logits(self, state):
        if self.layer_norm:
            state = state - state.mean(-1, keepdim=True)
        state = state / (state.pow(2).mean(-1, keepdim=True) + self.epsilon).sqrt() * self.scale
        if self.shift is not None:
            state = state + self.shift
        logits = state @ self.unembedding.T
        if self.constant is not None:
            logits = logits + self.constant
        if self.cap is not None:
            logits = self.cap * torch.tanh(logits / self.cap)
        return logits


@dataclasses.dataclass
class Question:
    """What is read: the token, the token it is set against, the model's own distribution."""

    token: int
    versus: int
    model: torch.Tensor

    def value(self, target, logits):
        logp = logits.log_softmax(-1)
        p = logp.exp()
        match target:
            case "prob":
                return p[..., self.token]
            case "logprob":
                return logp[..., self.token]
            case "logit":
                return logits[..., self.token]
            case "prob-diff":
                return p[..., self.token] - p[..., self.versus]
            case "logit-diff":
                return logits[..., self.token] - logits[..., self.versus]
            case "entropy":
                return -(p * logp).sum(-1)
            case "kl":
                return (self.model * (self.model.log() - logp)).sum(-1)
        raise ValueError(target)


def baseline(kind, states, position, first, other):
    """`states[layer + 1]` is [position, width]; `other` is another prompt's last state."""
    chosen = states[first + 1]
    match kind:
        case "mean":
            return chosen[: position + 1].mean(0)
        case "mean-all":
            return chosen.mean(0)
        case "mean-nosink":
            return chosen[1 : position + 1].mean(0)
        case "zero":
            return torch.zeros_like(chosen[0])
        case "embedding":
            return states[0][position]
        case "final-of":
            return other
    raise ValueError(kind)


def midpoints(count):
    """Nodes and weights of the midpoint rule on [0, 1]."""
    return [((k + 0.5) / count, 1 / count) for k in range(count)]


def gauss(count):
    """Nodes and weights of Gauss–Legendre on [0, 1]."""
    nodes, weights = numpy.polynomial.legendre.leggauss(count)
    return [((x + 1) / 2, w / 2) for x, w in zip(nodes.tolist(), weights.tolist())]


def integral(function, start, end, nodes):
    """Σ w ⟨∇f, end − start⟩ along the straight line."""
    total = 0.0
    for t, weight in nodes:
        state = (start + t * (end - start)).clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(function(state), state)
        total += weight * (gradient @ (end - start)).item()
    return total


def onset(layers, values, fraction=0.5):
    """The earliest layer at which cumulative |A| reaches the fraction; None if nothing moves."""
    whole = sum(abs(value) for value in values)
    if whole == 0:
        return None
    running = 0.0
    for layer, value in zip(layers, values):
        running += abs(value)
        if running >= fraction * whole:
            return layer
    return layers[-1]


def lens(head, state, token, count=5):
    """Rank of the token (ties share the best), entropy in nats, most probable tokens."""
    logits = head.logits(state)
    p = logits.softmax(-1)
    best = p.topk(count)
    return {
        "rank": 1 + int((logits > logits[token]).sum()),
        "entropy": -(p * p.log()).sum().item(),
        "top": [[int(i), v] for v, i in zip(best.values.tolist(), best.indices.tolist())],
    }


def attribute(function, path, layers):
    """One target along one path: the ends, and three estimates of every segment."""
    values = [function(state).item() for state in path]
    segments = list(zip(path, path[1:]))
    observed = [after - before for before, after in zip(values, values[1:])]
    return {
        "baseline_value": values[0],
        "observed": observed,
        "gradient": [integral(function, a, b, midpoints(64)) for a, b in segments],
        "gauss": [integral(function, a, b, gauss(16)) for a, b in segments],
        "onset": onset(layers, observed),
    }


def published_states(blocks, count):
    """`count` hidden-state numbers, evenly from 1 to `blocks` and rounded (last included)."""
    return sorted({round(float(x)) for x in numpy.linspace(1, blocks, count)} | {blocks})
