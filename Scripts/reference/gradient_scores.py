"""Every number of the gradient family from its definition, on a network of duals, in float64."""

import numpy

from . import duals
from .duals import Dual

KINDS = ["tap", "heads", "attention", "hidden", "mlp", "residual"]


class Judge:
    """A network with a text, another of as many tokens, and a difference of two logits."""

    def __init__(self, network, clean, patch, token, versus, position):
        self.network = network
        self.clean, self.patch = network.embedding(clean), network.embedding(patch)
        self.token, self.versus, self.position = token, versus, position
        self.count = len(clean)
        width = network.width
        units = dict.fromkeys(["tap", "attention", "mlp", "residual"], width)
        units["heads"] = network.heads * network.head_width
        if not network.experts:
            units["hidden"] = network.hidden
        self.units = {"embedding": width}
        for layer in range(network.layers):
            for kind in KINDS:
                if kind in units:
                    self.units[f"{kind}.{layer}"] = units[kind]
        # Those that are scored, in the order in which files have them.
        self.sites = [site for site in self.units if not site.startswith("tap")]

    def run(self, start, rules=duals.GRADIENT, seeded=(), overrides=None, rate=None):
        """One run from what the first block receives.

        seeded: the sites that get a change for each coordinate. rate: how `start` moves along a path.
        """
        network, overrides = self.network, overrides or {}
        places, total = {}, 0
        for site in self.units:
            if site in seeded:
                places[site], total = total, total + self.count * self.units[site]
        source = duals.Source(total)
        changes = total + network.layers + 1 + 1
        result = Run(places, total)

        def site(name, value, stopped=False):
            result.arriving[name] = value.t
            if stopped:
                value = duals.held(value)
            if name in overrides:
                value = Dual(overrides[name], numpy.zeros_like(value.t))
            result.values[name] = value.v
            if name in places:
                t = value.t.copy()
                size = value.v.size
                rows = t[places[name] : places[name] + size].reshape(size, size)
                rows += numpy.eye(size)
                value = Dual(value.v, t)
            return value

        t = numpy.zeros((changes, *start.shape))
        if rate is not None:
            t[-1] = rate
        x = site("embedding", Dual(start, t))
        for layer in range(network.layers):
            x = site(f"residual.{layer}", network.block(x, layer, rules, source, site))
        logits = network.head(x, rules, source)
        row = logits.take((self.position,))
        result.logits = logits.v
        metric = row.take((self.token,))
        if self.versus is not None:
            other = row.take((self.versus,))
            metric = Dual(metric.v - other.v, metric.t - other.t)
        result.metric = float(metric.v)
        result.changes = metric.t
        return result

    def whole(self, start, rules=duals.GRADIENT, rate=None):
        """A run with every site seeded."""
        return self.run(start, rules, set(self.units), rate=rate)

    # MARK: paths

    def along(self, nodes, start):
        """Runs at start + α (clean − start)."""
        return [self.whole(start + a * (self.clean - start), rate=self.clean - start) for a in nodes]

    def joint(self, site, nodes, start, end):
        """The mean gradient at a site, over values there from start to end, the rest as in the clean run."""
        total = 0
        for place, weight in nodes:
            run = self.run(self.clean, seeded={site}, overrides={site: start + place * (end - start)})
            total = total + weight * run.gradient(site)
        return total

    def replaced(self, site, value):
        """The metric with another value at a site of the clean run."""
        return self.run(self.clean, overrides={site: value}).metric


class Run:
    """What a run showed."""

    def __init__(self, places, total):
        self.places, self.total = places, total
        self.values, self.arriving = {}, {}

    def gradient(self, site):
        """The metric's coefficient of each coordinate of a site."""
        value = self.values[site]
        first = self.places[site]
        return self.changes[first : first + value.size].reshape(value.shape)

    def biases(self):
        """What of the metric each block's biases hold, and last the head's."""
        return self.changes[self.total : -1]

    def rate(self, site):
        """How a site's value moves along the path."""
        return self.arriving[site][-1]

    def edges(self, layer, position, neuron):
        """What each change that is seeded gives to a neuron, those of biases last."""
        return self.arriving[f"hidden.{layer}"][:-1, position, neuron]


def rule(name, count):
    """(place, weight) of a rule on [0, 1]."""
    if name == "gauss":
        places, weights = numpy.polynomial.legendre.leggauss(count)
        return list(zip((places + 1) / 2, weights / 2))
    if name == "trapezoid":
        ends = lambda k: 0.5 if k in (0, count) else 1
        return [(k / count, ends(k) / count) for k in range(count + 1)]
    first = {"left": 0, "midpoint": 0.5, "right": 1}[name]
    return [((k + first) / count, 1 / count) for k in range(count)]
