"""Tests/Fixtures/gradients: what every gradient method must give on tiny models; see its README.md."""

import json

import numpy
from safetensors.numpy import load_file, save_file

from . import duals, gradient_autograd
from .dual_models import Network
from .gradient_scores import Judge, rule

# name: clean, patch, position; the patch differs in one or two tokens.
CASES = {
    "llama-biases": ([5, 17, 96, 3, 41], [5, 60, 96, 3, 41], 4),
    "llama-grouped-untied": ([5, 17, 96, 3, 41], [5, 60, 96, 29, 41], 4),
    "qwen3": ([5, 17, 96, 3, 41], [5, 60, 96, 3, 41], 4),
    "gemma2": ([5, 17, 96, 3, 41], [5, 60, 96, 29, 41], 3),
    "olmo2": ([5, 17, 96, 3, 41], [5, 60, 96, 3, 41], 4),
    "mixtral": ([5, 17, 96, 3, 41], [5, 60, 96, 3, 41], 4),
    "gpt2": ([5, 17, 96, 3, 41], [5, 60, 96, 3, 41], 4),
    "gpt-neox": ([5, 17, 96, 3, 41], [5, 60, 96, 29, 41], 3),
    "bert": ([2, 17, 4, 96, 3], [2, 60, 4, 96, 3], 2),
}
# Those of which every path is stored; of the rest, rules alone.
PATHS = ["llama-biases", "gemma2", "gpt2", "bert"]
STEPS = 5
FINE = 160
TOLERANCE = 1e-9


def flat(judge, read):
    return numpy.concatenate([numpy.asarray(read(site)).ravel() for site in judge.sites])


def close(found, known, tolerance, what):
    error = numpy.max(numpy.abs(found - known) / (1 + numpy.abs(known)))
    assert error < tolerance, f"{what}: {error}"


def check_network(network, folder):
    """The formulas are those of transformers: sites and the gradient of a logit."""
    reference = load_file(folder / "reference.safetensors")
    ids = reference["0.ids"].tolist()
    position, token = reference["0.gradient.of"].tolist()
    judge = Judge(network, ids, ids, token, None, position)
    run = judge.run(judge.clean, seeded={"embedding"} | {f"residual.{l}" for l in range(network.layers)})
    names = {"heads": "attention.{}.heads", "attention": "attention.{}.output", "mlp": "feedForward.{}.output"}
    names |= {"hidden": "feedForward.{}.hidden", "residual": "residual.{}.after"}
    for site in judge.sites:
        kind, _, layer = site.partition(".")
        name = names[kind].format(layer) if layer else site
        close(run.values[site].ravel(), reference[f"0.{name}"].ravel(), 1e-11, f"{site}")
        if f"0.gradient.{name}" in reference:
            known = reference[f"0.gradient.{name}"][0]
            close(run.gradient(site), known, 1e-10, f"gradient at {site}")
    close(run.logits, reference["0.logits"][0], 1e-11, "logits")


def check_rules(judge, folder, ids):
    """Forward changes and autograd's backward pass agree under every rule set."""
    metric = (judge.token, judge.versus, judge.position)
    for name, rules in duals.RULES.items():
        run = judge.whole(judge.clean, rules)
        start, hidden = gradient_autograd.coefficients(folder, ids, metric, rules)
        close(run.gradient("embedding"), start, 1e-13, name)
        for layer, known in enumerate(hidden):
            close(run.gradient(f"hidden.{layer}"), known, 1e-13, f"{name}, neurons of {layer}")


def under_rules(judge, tensors):
    """Coefficients of every site under every rule set, biases by block, and conservation."""
    network = judge.network
    for name, rules in duals.RULES.items():
        run = judge.whole(judge.clean, rules)
        tensors[f"coefficient.{name}"] = flat(judge, run.gradient)
        tensors[f"biases.{name}"] = run.biases().copy()
        if name in ("relp", "cp-lrp"):
            cuts = ["embedding"] + [f"residual.{layer}" for layer in range(network.layers)]
            for depth, site in enumerate(cuts):
                total = (run.values[site] * run.gradient(site)).sum() + run.biases()[depth:].sum()
                assert abs(total - run.metric) < 1e-11 * (1 + abs(run.metric)), (name, site)
    patched = judge.whole(judge.patch, duals.RELP)
    tensors["patch.coefficient.relp"] = flat(judge, patched.gradient)
    right = judge.run(judge.clean, duals.RELP, {"embedding"}).gradient("embedding")
    for name, rules in duals.WRONG.items():
        wrong = judge.run(judge.clean, rules, {"embedding"}).gradient("embedding")
        assert numpy.max(numpy.abs(wrong - right)) > 100 * TOLERANCE, name
        tensors[f"wrong.{name}"] = wrong


def edges(judge, tensors):
    """What embeddings and earlier neurons give to a few neurons, directly."""
    network = judge.network
    if network.experts:
        return
    hidden = [f"hidden.{layer}" for layer in range(network.layers)]
    run = judge.run(judge.clean, duals.DIRECT, {"embedding", *hidden})
    # The seeds in the order of the run: embedding, then neurons block after block.
    values = numpy.concatenate([run.values[site].ravel() for site in ["embedding", *hidden]])
    tokens = judge.count * network.width
    for layer in range(network.layers):
        position = judge.position if layer == network.layers - 1 else 1
        neuron = int(numpy.argmax(numpy.abs(run.values[hidden[layer]][position])))
        arriving = run.edges(layer, position, neuron)
        biases = arriving[run.total :]
        given = arriving[: run.total] * values
        whole = run.values[hidden[layer]][position, neuron]
        assert abs(given.sum() + biases.sum() - whole) < 1e-11 * (1 + abs(whole)), layer
        at = f"edges.{layer}"
        tensors[f"{at}.target"] = numpy.array([layer, position, neuron])
        tensors[f"{at}.tokens"] = given[:tokens].reshape(judge.count, -1).sum(-1)
        tensors[f"{at}.neurons"] = given[tokens:]
        tensors[f"{at}.biases"] = biases.copy()
    given = run.changes[: run.total] * values
    assert abs(given.sum() + run.biases().sum() - run.metric) < 1e-11
    tensors["edges.metric.tokens"] = given[:tokens].reshape(judge.count, -1).sum(-1)
    tensors["edges.metric.neurons"] = given[tokens:]


def along_paths(judge, clean, patch, tensors):
    difference = flat(judge, lambda site: clean.values[site] - patch.values[site])
    total = clean.metric - patch.metric
    every = {}
    for name in ("left", "right", "midpoint", "gauss"):
        nodes = rule(name, STEPS)
        runs = judge.along([place for place, _ in nodes], judge.patch)
        every[name] = sum(w * flat(judge, run.gradient) for (_, w), run in zip(nodes, runs))
        tensors[f"mean-gradient.{name}"] = every[name]
    assert numpy.max(numpy.abs(every["left"] - every["gauss"]) * numpy.abs(difference)) > 100 * TOLERANCE

    # Conductance as a sum over differences of values, with the gradient at either end.
    runs = judge.along([k / STEPS for k in range(STEPS + 1)], judge.patch)
    values = [flat(judge, lambda site, run=run: run.values[site]) for run in runs]
    slopes = [flat(judge, run.gradient) for run in runs]
    steps = list(zip(slopes, slopes[1:], values, values[1:]))
    tensors["conductance.left"] = sum(g * (b - a) for g, _, a, b in steps)
    tensors["conductance.right"] = sum(g * (b - a) for _, g, a, b in steps)
    fine = rule("gauss", FINE)
    runs = judge.along([place for place, _ in fine], judge.patch)
    exact = sum(
        w * flat(judge, lambda site, run=run: run.gradient(site) * run.rate(site))
        for (_, w), run in zip(fine, runs)
    )
    tensors["conductance.exact"] = exact
    at = 0
    for site in judge.sites:
        size = judge.count * judge.units[site]
        if site == "embedding" or site.startswith("residual"):
            assert abs(exact[at : at + size].sum() - total) < 1e-10, (site, exact[at : at + size].sum() - total)
        at += size

    # One neuron's, by input: how far each coordinate moves it, times what it moves the metric by.
    layer = judge.network.layers - 1
    site = f"hidden.{layer}"
    moved = numpy.abs(clean.values[site] - patch.values[site])[judge.position]
    neuron = int(numpy.argmax(moved))
    shares = numpy.zeros_like(judge.clean)
    for place, weight in rule("gauss", STEPS):
        run = judge.along([place], judge.patch)[0]
        first = run.places["embedding"]
        arriving = run.arriving[site][first : first + judge.clean.size, judge.position, neuron]
        slope = run.gradient(site)[judge.position, neuron]
        shares += weight * slope * arriving.reshape(judge.clean.shape) * (judge.clean - judge.patch)
    tensors["neuron-conductance.of"] = numpy.array([layer, judge.position, neuron])
    tensors["neuron-conductance"] = shares

    # IDGI: at each step, each coordinate's share of the squared gradient, of the change.
    shares = numpy.zeros_like(judge.clean)
    runs = judge.along([k / 4 for k in range(5)], judge.patch)
    for run, after in zip(runs, runs[1:]):
        slope = run.gradient("embedding")
        shares += slope**2 / (slope**2).sum() * (after.metric - run.metric)
    assert abs(shares.sum() - total) < 1e-12
    tensors["idgi.4"] = shares


def layer_paths(judge, clean, patch, tensors):
    """A whole site's values from the patch's (or zero) to the clean ones, the rest clean."""
    found = {"patch.right": [], "patch.exact": [], "zero.right": [], "effect": []}
    for site in judge.sites:
        ends = {"patch": patch.values[site], "zero": 0 * clean.values[site]}
        for name in ("patch.right", "patch.exact", "zero.right"):
            start = ends[name.split(".")[0]]
            nodes = rule("gauss", FINE) if name.endswith("exact") else rule("right", STEPS)
            mean = judge.joint(site, nodes, start, clean.values[site])
            found[name].append((mean * (clean.values[site] - start)).ravel())
        effect = clean.metric - judge.replaced(site, patch.values[site])
        assert abs(found["patch.exact"][-1].sum() - effect) < 1e-10, site
        found["effect"].append([effect])
    for name, parts in found.items():
        tensors[f"joint.{name}"] = numpy.concatenate(parts)


def patched_one_by_one(judge, clean, patch, tensors):
    """What the metric loses when one neuron, or one head, has the other run's value."""
    network = judge.network
    neurons, heads = [], []
    for layer in range(network.layers):
        site = f"hidden.{layer}"
        for position in range(judge.count):
            for neuron in range(network.hidden):
                value = clean.values[site].copy()
                value[position, neuron] = patch.values[site][position, neuron]
                neurons.append(clean.metric - judge.replaced(site, value))
        site = f"heads.{layer}"
        for position in range(judge.count):
            for head in range(network.heads):
                value = clean.values[site].copy()
                part = slice(head * network.head_width, (head + 1) * network.head_width)
                value[position, part] = patch.values[site][position, part]
                heads.append(clean.metric - judge.replaced(site, value))
    tensors["exact.neurons"], tensors["exact.heads"] = numpy.array(neurons), numpy.array(heads)


def make(root, versions, only=()):
    for name, (ids, other, position) in CASES.items():
        if only and name not in only:
            continue
        folder = root / "models" / name
        network = Network(folder)
        check_network(network, folder)
        logits = Judge(network, ids, other, 0, None, position)
        order = numpy.argsort(-logits.run(logits.clean).logits[position])
        judge = Judge(network, ids, other, int(order[0]), int(order[2]), position)
        if network.kind in ("llama", "qwen3"):
            check_rules(judge, folder, ids)
        clean, patch = judge.whole(judge.clean), judge.whole(judge.patch)
        whole = numpy.array
        tensors = {
            "clean.ids": whole(ids),
            "patch.ids": whole(other),
            "metric": whole([judge.token, judge.versus, position]),
            "metric.values": whole([clean.metric, patch.metric, judge.run(0 * judge.clean).metric]),
            "clean.value": flat(judge, lambda site: clean.values[site]),
            "patch.value": flat(judge, lambda site: patch.values[site]),
            "patch.coefficient.gradient": flat(judge, patch.gradient),
        }
        under_rules(judge, tensors)
        edges(judge, tensors)
        # The gradient where the network is read, times the difference of what it gives.
        tensors["wrong.read-gradient"] = numpy.concatenate(
            [
                ((clean.values[f"mlp.{l}"] - patch.values[f"mlp.{l}"]) * clean.gradient(f"tap.{l}")).ravel()
                for l in range(network.layers)
            ]
        )
        if name in PATHS:
            along_paths(judge, clean, patch, tensors)
            layer_paths(judge, clean, patch, tensors)
            patched_one_by_one(judge, clean, patch, tensors)
        metadata = {
            "sites": json.dumps([[site, judge.units[site]] for site in judge.sites]),
            "steps": str(STEPS),
            **versions,
        }
        tensors = {key: numpy.ascontiguousarray(value) for key, value in sorted(tensors.items())}
        save_file(tensors, root / "gradients" / f"{name}.safetensors", metadata)
        print(f"{name}: m {clean.metric:.6f}, {patch.metric:.6f}", flush=True)
