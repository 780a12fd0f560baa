"""Values that carry their own changes: forward-mode differentiation under backward rules, in numpy.

A rule set takes a nonlinearity for a linear map with held coefficients. Read forwards, that map says how a
small change of its input moves its output, so that no backward pass is needed to know what rules give: one
change for every coordinate of every site is sent through the network, and what arrives at the metric is the
coefficient of that coordinate. Nothing here is shared with a reverse-mode implementation but the rules.
"""

import dataclasses
import math

import numpy

_erf = numpy.vectorize(math.erf, otypes=[float])


@dataclasses.dataclass(frozen=True)
class Rules:
    """norm: true, frozen; pattern: true, frozen; product: true, half, stop-gate; activation: true, ratio;
    feed_forward: flow, stop. `mistake` names something to get wrong."""

    norm: str = "true"
    pattern: str = "true"
    product: str = "true"
    activation: str = "true"
    feed_forward: str = "flow"
    mistake: str = ""


GRADIENT = Rules()
RELP = Rules("frozen", "frozen", "half", "ratio")
RELP_JAFARI = Rules("frozen", "true", "half", "ratio")
CP_LRP = Rules("frozen", "frozen", "stop-gate", "ratio")
HALF_OFF = Rules("frozen", "frozen", "true", "ratio")
DIRECT = dataclasses.replace(RELP, feed_forward="stop")
RULES = {
    "gradient": GRADIENT,
    "relp": RELP,
    "relp-jafari": RELP_JAFARI,
    "cp-lrp": CP_LRP,
    "half-off": HALF_OFF,
    "direct": DIRECT,
}
WRONG = {
    "halved-values": dataclasses.replace(RELP, mistake="halved values"),
    "true-norms": dataclasses.replace(RELP, norm="true"),
    "swapped-heads": dataclasses.replace(RELP, mistake="swapped heads"),
    "true-final-norm": dataclasses.replace(RELP, mistake="true final norm"),
}


class Dual:
    """A value and its changes: t has one more axis in front, one entry for each change."""

    __slots__ = ("v", "t")

    def __init__(self, v, t):
        self.v, self.t = v, t

    def __add__(self, other):
        return Dual(self.v + other.v, self.t + other.t)

    def __mul__(self, number):
        return Dual(self.v * number, self.t * number)

    def apply(self, reshape):
        """A reshaping of the value, done to every change."""
        return Dual(reshape(self.v), numpy.stack([reshape(change) for change in self.t]))

    def last(self, matrix):
        """matrix @ each vector of the last axis."""
        return Dual(self.v @ matrix.T, self.t @ matrix.T)

    def take(self, key):
        return Dual(self.v[key], self.t[(slice(None), *key)])


class Source:
    """Biases, as sources of the metric: block ℓ's own change is every bias of it at once."""

    def __init__(self, first):
        self.first, self.block = first, 0

    def __call__(self, x, bias):
        if bias is None:
            return x
        t = x.t.copy()
        t[self.first + self.block] += bias
        return Dual(x.v + bias, t)


def centred(x):
    return Dual(x.v - x.v.mean(-1, keepdims=True), x.t - x.t.mean(-1, keepdims=True))


def norm(x, kind, weight, epsilon, rule):
    """weight ⊙ x / ρ, the mean taken off first in a layer norm."""
    if kind == "layer":
        x = centred(x)
    width = x.v.shape[-1]
    rho = numpy.sqrt((x.v**2).mean(-1, keepdims=True) + epsilon)
    t = x.t / rho
    if rule == "true":
        along = (x.v * x.t).sum(-1, keepdims=True) / width
        t = t - x.v * along / rho**3
    return Dual(weight * x.v / rho, weight * t)


def activation(x, name, rule):
    """f(x); its change is f′(x) dx, or f(x)/x dx."""
    v = x.v
    if name == "silu":
        ratio = 1 / (1 + numpy.exp(-v))
        slope = ratio * (1 + v * (1 - ratio))
    elif name == "gelu":
        ratio = 0.5 * (1 + _erf(v / math.sqrt(2)))
        slope = ratio + v * numpy.exp(-v * v / 2) / math.sqrt(2 * math.pi)
    elif name in ("gelu_new", "gelu_pytorch_tanh"):
        inner = math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)
        bent = numpy.tanh(inner)
        ratio = 0.5 * (1 + bent)
        slope = ratio + 0.5 * v * (1 - bent**2) * math.sqrt(2 / math.pi) * (1 + 0.134145 * v**2)
    elif name == "relu":
        ratio = slope = (v > 0).astype(float)
    else:
        raise ValueError(name)
    return Dual(ratio * v, (slope if rule == "true" else ratio) * x.t)


def soft_cap(x, cap, rule):
    """c tanh(x/c)."""
    if cap is None:
        return x
    bent = numpy.tanh(x.v / cap)
    if rule == "true":
        slope = 1 - bent**2
    else:
        slope = numpy.where(x.v == 0, 1.0, cap * bent / numpy.where(x.v == 0, 1.0, x.v))
    return Dual(cap * bent, slope * x.t)


def product(gate, up, rule):
    """gate ⊙ up."""
    share = {"true": (1, 1), "half": (0.5, 0.5), "stop-gate": (0, 1)}[rule]
    return Dual(gate.v * up.v, share[0] * gate.t * up.v + share[1] * gate.v * up.t)


def softmax(x):
    weights = numpy.exp(x.v - x.v.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return Dual(weights, weights * (x.t - (weights * x.t).sum(-1, keepdims=True)))


def held(x):
    """The value without its changes."""
    return Dual(x.v, numpy.zeros_like(x.t))


def matmul(a, b):
    """a @ b over the last two axes."""
    return Dual(a.v @ b.v, a.t @ b.v + a.v @ b.t)
