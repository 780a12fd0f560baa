"""Writes Tests/Fixtures/tree/<model>: parts, paths, orders, ablations, lenses, logit shares."""

import json

import torch

from . import ablation, capture, fixtures, iglens, iglens_fixtures, lenses, model_fixtures
from . import shapley, tree

# A model of enough layers for the orders of six to differ; the others are those of ../models.
SIX = "llama-six-layers"
OWN = {SIX: (fixtures.llama(num_hidden_layers=6, tie_word_embeddings=False), 22, "one file")}
NAMES = ["llama-grouped-untied", "llama-biases", "qwen2", "gpt2", SIX]
ANSWER, VERSUS = 4, iglens_fixtures.VERSUS
POSITIONS = [11, 2]  # the late one predicts a greedy token
NEURONS = [0, 3, 5]
CHECKED = ["prob", "logit-diff"]
SHORT = ["prob", "logit-diff", "kl"]


class Model:
    """One tiny model, run once on a prompt and its greedy continuation."""

    def __init__(self, root, name, versions):
        if name in OWN:
            self.folder = root / "tree" / "models" / name
            config, seed, layout = OWN[name]
            self.folder.mkdir(parents=True, exist_ok=True)
            self.state = model_fixtures.weights(self.folder, config, seed, layout)
        else:
            self.folder = root / "models" / name
            config, seed, layout = fixtures.FIXTURES[name]
            self.state = stored(self.folder, config, seed)
        self.name, self.config = name, config
        self.made = {**versions, "seed": seed}
        prompt, self.other_ids = fixtures.SEQUENCES
        self.ids = prompt + model_fixtures.greedy(config, self.state, prompt, ANSWER)
        self.model = capture.build(self.folder, self.state, torch.float64)
        self.found = capture.sites(self.model, self.ids, torch.float64)
        self.blocks = config.get("num_hidden_layers", config.get("n_layer"))
        self.heads = config.get("num_attention_heads", config.get("n_head"))
        self.head = iglens_fixtures.head_of(config, self.state)
        self.states = iglens_fixtures.states_of(self.found, self.blocks)
        self.logits = self.found["logits"][0]
        self.whole = list(range(self.blocks))

    def question(self, position):
        token = self.ids[position + 1]
        return iglens.Question(token, VERSUS, self.logits[position].softmax(-1))

    def function(self, target, position):
        question = self.question(position)
        return lambda h: question.value(target, self.head.logits(h))

    def pieces(self, position, wrong=None):
        return [tree.block(self.state, self.found, l, position, wrong) for l in self.whole]

    def path(self, position, layers, baseline="mean"):
        start = iglens.baseline(baseline, self.states, position, layers[0], None)
        return tree.points(self.states, position, layers, start)

    def about(self, lines):
        return {"about": lines, "made": self.made, "model": self.name, "ids": self.ids}

    def at(self, position, **more):
        place = {"position": position, "token": self.ids[position + 1], "versus": VERSUS}
        return place | more


def stored(folder, config, seed):
    """The committed weights: they are read and not drawn again."""
    from safetensors.torch import load_file

    state = load_file(folder / "model.safetensors")
    if config.get("tie_word_embeddings", config["model_type"] == "gpt2"):
        embedding = next(n for n in state if "embed_tokens" in n or "wte" in n)
        state["lm_head.weight"] = state[embedding]
    return state


TREE = [
    "Every level of the tree, path chain over all blocks, baseline mean (of the state after block 0",
    "over positions <= position), in float64 by autograd at 256 or more Gauss-Legendre",
    "nodes in t: 128 on each half, halved further until no entry of the mean gradient moves.",
    "ids: one forward pass; the explained token is ids[position + 1]. cases[].targets[target]:",
    "segments[]: layer, value = f(end) - f(start), path_gradient = mean gradient of f; embedding =",
    "<path_gradient, r_0 - baseline> (first segment only); blocks[]: scores of attention, mlp,",
    "heads[h], attention_bias, and for target prob also sources[h][s], neurons[n], mlp_bias.",
    "value = embedding + sum over blocks of attention + mlp, to 1e-10; each level likewise.",
    "wrong: the same for target prob with one mistake, listed only where it changes numbers.",
    "embedding: the first segment's sum without that part; pattern, shift: sources of block 0 with",
    "the next head's pattern, with the next token's value; columns: heads of block 0 through the",
    "next head's columns of W_O; groups: sources of block 0 with key-value heads interleaved;",
    "norm_scale, norm_weight, frozen, centring: [attention, mlp] of the last block with a gradient",
    "that forgets 1/rho, the norm's weight, the derivative of rho, the derivative of the mean; end:",
    "with the gradient at the segment's end.",
]


def whole_tree(model):
    document = model.about(TREE) | {"cases": []}
    for position in POSITIONS:
        pieces, path = model.pieces(position), model.path(position, model.whole)
        embedding = model.states[0][position]
        case = model.at(position, layers=model.whole, path="chain", baseline="mean", targets={})
        for target in iglens.TARGETS:
            depth = "token" if target == "prob" else "head"
            function = model.function(target, position)
            case["targets"][target] = tree.chain(
                function, path, model.whole, pieces, embedding, depth
            )
        case["wrong"] = mistakes(model, position, path, case["targets"]["prob"])
        document["cases"].append(case)
    return document


def wrong_gradient(model, position, start, end, wrong):
    """The mean gradient of the probability with one mistake in how the norm is differentiated."""
    head, question = model.head, model.question(position)

    def function(h):
        centre = h.mean(-1, keepdim=True) if head.layer_norm else 0 * h
        centred = h - (centre.detach() if wrong == "centring" else centre)
        rho = (centred.pow(2).mean(-1, keepdim=True) + head.epsilon).sqrt()
        normed = centred / (rho.detach() if wrong == "frozen" else rho)
        shift = 0 if head.shift is None else head.shift
        logits = (head.scale * normed + shift) @ head.unembedding.T
        return question.value("prob", logits)

    if wrong in ("frozen", "centring"):
        return tree.mean_gradient(function, start, end)
    if wrong == "end":
        return tree.mean_gradient(function, end, end)
    # The gradient with respect to the normed state, handed on without the norm's factor.
    total = torch.zeros_like(start)
    for t, weight in iglens.gauss(64):
        h = start + t * (end - start)
        centred = h - h.mean() if head.layer_norm else h
        rho = (centred.pow(2).mean() + head.epsilon).sqrt()
        normed = (centred / rho).requires_grad_(True)
        shift = 0 if head.shift is None else head.shift
        value = question.value("prob", (head.scale * normed + shift) @ head.unembedding.T)
        (gradient,) = torch.autograd.grad(value, normed)
        total += weight * (gradient if wrong == "norm_scale" else gradient / head.scale / rho)
    return total


def mistakes(model, position, path, right):
    """Wrong variants, each of which must differ from what is right by 100 tolerances."""
    first, last = right["segments"][0], right["segments"][-1]
    gradient = torch.tensor(first["path_gradient"], dtype=torch.float64)
    found = {}

    def keep(name, value, expected):
        shift = (torch.tensor(value) - torch.tensor(expected)).abs().max().item()
        assert shift > 100 * tree.RIGHT, f"{model.name} {position}: '{name}' shows by {shift} only"
        found[name] = value

    keep("embedding", first["value"] - first["embedding"], first["value"])
    right_block = first["blocks"][0]
    for name in ("pattern", "shift", "groups"):
        if name == "groups" and len(model.found["attention.0.value"][0]) in (1, model.heads):
            continue
        wrong = tree.block(model.state, model.found, 0, position, name)
        keep(name, (wrong.sources @ gradient).tolist(), right_block["sources"])
    wrong = tree.block(model.state, model.found, 0, position, "columns")
    keep("columns", (wrong.heads @ gradient).tolist(), right_block["heads"])
    piece, right_block = model.pieces(position)[-1], last["blocks"][-1]
    kinds = ["norm_scale", "norm_weight", "frozen", "end"]
    for name in kinds + (["centring"] if model.head.layer_norm else []):
        gradient = wrong_gradient(model, position, path[-2], path[-1], name)
        value = [(gradient @ piece.attention).item(), (gradient @ piece.mlp).item()]
        keep(name, value, [right_block["attention"], right_block["mlp"]])
    return found


PATHS = [
    "Other paths, layers and baselines, to heads, in float64 by autograd as in tree.json. cases[]: position, layers, path (chain: each segment its own line; straight: one",
    "line from the baseline to the last state, one path_gradient for all), baseline; segments as",
    "in tree.json, value = <path_gradient, update of the segment>. A segment holds the blocks",
    "above the layer chosen before it. Layer -1 is the embedding.",
    "inside: path chain in corners: from the baseline to r_0 (embedding), then attention and then",
    "MLP of each block (attention_first), or MLP and then attention: differences of f.",
    "completion: every state is read with the mean updates of the later blocks added, and the",
    "baseline is embedding_mean + sum of update_means. Means are over both sequences' positions",
    "(ids, other_ids). Each segment has one more part, mean = -<path_gradient, sum of its blocks'",
    "update_means>; embedding = <path_gradient, r_0 - embedding_mean>.",
    "translated: state r_l, l + 1 < blocks, is read as T(h) = h + A h + b with translators[l + 1]",
    "(the input of block l + 1); the last state as it is. Baseline: T of the mean of r_0's first",
    "chosen state. One more part, translator: what of the segment no block produced.",
]


def paths(model):
    late = POSITIONS[0]
    wanted = [
        (late, [0, model.whole[-1]], "chain", "mean", iglens.TARGETS),
        (late, [1, model.whole[-1]], "chain", "mean", SHORT),
        (late, [-1, *model.whole], "chain", "mean", SHORT),
        (late, model.whole, "chain", "zero", iglens.TARGETS),
        (late, model.whole, "chain", "embedding", SHORT),
        (late, model.whole, "straight", "mean", iglens.TARGETS),
        (late, [1, model.whole[-1]], "straight", "mean", SHORT),
        (late, model.whole, "straight", "zero", SHORT),
        (late, model.whole, "straight", "embedding", SHORT),
        (POSITIONS[1], model.whole, "straight", "mean", SHORT),
        (POSITIONS[1], [1, model.whole[-1]], "chain", "mean-nosink", SHORT),
    ]
    document = model.about(PATHS) | {"other_ids": model.other_ids, "cases": [], "inside": []}
    for position, layers, way, baseline, targets in wanted:
        layers = sorted(set(layers))
        pieces, path = model.pieces(position), model.path(position, layers, baseline)
        case = model.at(position, layers=layers, path=way, baseline=baseline, targets={})
        walk = tree.chain if way == "chain" else tree.straight
        for target in targets:
            found = walk(
                model.function(target, position),
                path, layers, pieces, model.states[0][position], "head",
            )  # fmt: skip
            if target != "prob":
                without_gradients(found)
            case["targets"][target] = found
        document["cases"].append(case)
    for position in POSITIONS:
        pieces, path = model.pieces(position), model.path(position, model.whole)
        case = model.at(position, layers=model.whole, baseline="mean", targets={})
        for target in SHORT:
            case["targets"][target] = {
                name: tree.inside(
                    model.function(target, position),
                    path, model.whole, pieces, model.states[0][position], first,
                )
                for name, first in (("attention_first", True), ("mlp_first", False))
            }  # fmt: skip
        document["inside"].append(case)
    document["completion"] = completion(model)
    document["translated"] = translated(model)
    return document


def without_gradients(result):
    result.pop("path_gradient", None)
    for row in result["segments"]:
        row.pop("path_gradient", None)


def extra(function, path, layers, pieces, first, added, key):
    """A chain whose segments have one more part, `added`[segment]."""
    rows = []
    for number, (layer, inside) in enumerate(tree.segments(layers)):
        gradient = tree.mean_gradient(function, path[number], path[number + 1])
        start = first if number == 0 else None
        row = tree.row(gradient, layer, inside, pieces, start, "head")
        row[key] = (gradient @ added[number]).item()
        row["value"] = (function(path[number + 1]) - function(path[number])).item()
        tree.close(row["value"], tree.total(row))
        rows.append(row)
    ends = [function(path[0]).item(), function(path[-1]).item()]
    return {"baseline_value": ends[0], "final_value": ends[1], "segments": rows}


def completion(model):
    other = iglens_fixtures.states_of(
        capture.sites(model.model, model.other_ids, torch.float64), model.blocks
    )
    states = [torch.cat([a, b]) for a, b in zip(model.states, other)]
    means = [(after - before).mean(0) for before, after in zip(states, states[1:])]
    embedding = states[0].mean(0)
    later = lambda layer: sum(means[layer + 1 :], torch.zeros_like(embedding))
    document = {
        "embedding_mean": embedding.tolist(),
        "update_means": [mean.tolist() for mean in means],
        "cases": [],
    }
    for position in POSITIONS:
        pieces = model.pieces(position)
        for layers in ([model.whole, [1, model.whole[-1]]] if model.blocks > 2 else [model.whole]):
            read = [model.states[layer + 1][position] + later(layer) for layer in layers]
            path = [embedding + later(-1), *read]
            added = [-sum(means[k] for k in inside) for _, inside in tree.segments(layers)]
            case = model.at(position, layers=layers, targets={})
            for target in SHORT:
                case["targets"][target] = extra(
                    model.function(target, position),
                    path, layers, pieces, model.states[0][position] - embedding, added, "mean",
                )  # fmt: skip
            document["cases"].append(case)
    return document


def translated(model):
    """A chain through states that small random affine maps have translated."""
    generator = torch.Generator().manual_seed(77)
    width = len(model.states[0][0])
    short = lambda tensor: (tensor * 4096).round() / 4096
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    maps = [(short(0.1 * draw(width, width)), short(0.2 * draw(width))) for _ in model.whole]

    def added(h, layer):
        if layer == model.whole[-1]:
            return torch.zeros_like(h)
        return maps[layer + 1][0] @ h + maps[layer + 1][1]

    position = POSITIONS[0]
    read = [model.states[layer + 1][position] for layer in model.whole]
    start = iglens.baseline("mean", model.states, position, 0, None)
    moved = [added(start, 0)] + [added(h, layer) for layer, h in zip(model.whole, read)]
    path = [h + shift for h, shift in zip([start, *read], moved)]
    parts = [after - before for before, after in zip(moved, moved[1:])]
    case = model.at(position, layers=model.whole, baseline="mean", targets={})
    for target in SHORT:
        case["targets"][target] = extra(
            model.function(target, position),
            path, model.whole, model.pieces(position), model.states[0][position] - start,
            parts, "translator",
        )  # fmt: skip
    return {
        "translators": [{"A": a.flatten().tolist(), "b": b.tolist()} for a, b in maps],
        "cases": [case],
    }


ORDERS = [
    "Shapley values over layer updates, every order, in float64. cases[].targets[target]: orders;",
    "segments[]: value = mean over orders of the change of f when the layer's update is added to",
    "baseline + the updates before it in the order; deviation = standard deviation of that change",
    "over all orders (m sampled orders have standard error deviation / sqrt(m), before a correction",
    "for drawing without replacement). The first update is r_l1 - baseline. Parts: as in tree.json,",
    "with the gradient averaged over the layer's steps in all orders.",
]


def orders(model):
    cases = [(POSITIONS[0], model.whole, "mean", iglens.TARGETS)]
    if model.name == SIX:
        cases += [
            (POSITIONS[1], model.whole, "mean", SHORT),
            (POSITIONS[0], model.whole, "zero", SHORT),
            (POSITIONS[0], [1, 3, 4, 5], "embedding", SHORT),
        ]
    document = model.about(ORDERS) | {"cases": []}
    for position, layers, baseline, targets in cases:
        case = model.at(position, layers=layers, baseline=baseline, targets={})
        for target in targets:
            case["targets"][target] = shapley.attribute(
                model.function(target, position),
                model.path(position, layers, baseline),
                layers, model.pieces(position), model.states[0][position],
            )  # fmt: skip
        document["cases"].append(case)
    return document


ABLATIONS = [
    "Ablations by hooks in the transformers model, every position run anew, in float64.",
    "cases[].ablations[]: kind layer (the block's whole update), attention, mlp, head, neurons (a",
    "set); by: what stands in its place: zero, mean (over positions <= position), first (the value",
    "at position 0); at: position, or all (every position, by zero). actual[target] = f(model) -",
    "f(ablated) at the position; predicted[target] (at position only) = <path_gradient, value -",
    "replacement> with the gradient of the block's segment, path chain, baseline mean. Where a",
    "layer is replaced, value is the block's update without embedding - baseline.",
]


def ablations(model):
    document = model.about(ABLATIONS) | {"cases": []}
    for position in POSITIONS:
        question, path = model.question(position), model.path(position, model.whole)
        read = lambda logits: {t: question.value(t, logits[position]).item() for t in CHECKED}
        before = read(ablation.run(model.model, model.ids, None))
        gradients = {
            t: [
                tree.mean_gradient(model.function(t, position), a, b)
                for a, b in zip(path, path[1:])
            ]
            for t in CHECKED
        }
        case = model.at(position, model_value=before, ablations=[])
        for layer in model.whole:
            output, _, down, _ = tree.output_weights(model.state, layer)
            width = model.found[f"attention.{layer}.heads"].shape[-1]
            sites = [("layer", None, None), ("attention", None, None), ("mlp", None, None)]
            for h in range(model.heads):
                sites.append(("context", list(range(h * width, (h + 1) * width)), {"head": h}))
            sites.append(("hidden", NEURONS, {"neurons": NEURONS}))
            for kind, columns, naming in sites:
                values = ablation.values(model.found, kind, layer, columns, model.heads)
                choices = {
                    "zero": torch.zeros_like(values[position]),
                    "mean": values[: position + 1].mean(0),
                    "first": values[0],
                }
                into = {"context": output, "hidden": down}.get(kind)
                name = {"context": "head", "hidden": "neurons"}.get(kind, kind)
                for by, new in choices.items():
                    edit = (kind, layer, columns, [position], new[None])
                    after = read(ablation.run(model.model, model.ids, edit))
                    change = values[position] - new
                    change = change if into is None else into[:, columns] @ change
                    case["ablations"].append(
                        {"kind": name, "layer": layer, **(naming or {}), "by": by, "at": "position"}
                        | {"actual": {t: before[t] - after[t] for t in CHECKED}}
                        | {"predicted": {t: (gradients[t][layer] @ change).item() for t in CHECKED}}
                    )
                edit = (kind, layer, columns, list(range(len(model.ids))), 0.0)
                after = read(ablation.run(model.model, model.ids, edit))
                case["ablations"].append(
                    {"kind": name, "layer": layer, **(naming or {}), "by": "zero", "at": "all"}
                    | {"actual": {t: before[t] - after[t] for t in CHECKED}}
                )
        confirm(model, position, case)
        document["cases"].append(case)
    return document


def confirm(model, position, case):
    """What the readout alone knows of the last block's ablations, and that places matter."""
    question, last = model.question(position), model.whole[-1]
    f = lambda moment: question.value(
        "prob", model.head.logits(model.found[f"residual.{last}.{moment}"][0, position])
    ).item()
    find = lambda kind, layer, at: next(
        a["actual"]["prob"]
        for a in case["ablations"]
        if (a["kind"], a["layer"], a["by"], a["at"]) == (kind, layer, "zero", at)
    )
    tree.close(find("layer", last, "position"), f("after") - f("before"))
    tree.close(find("mlp", last, "position"), f("after") - f("middle"))
    # A head's or a neuron's edit is its branch's output less what it wrote there.
    piece, at = model.pieces(position)[0], lambda name: model.found[name][0, position]
    mlp = at("feedForward.0.output") - piece.neurons[NEURONS].sum(0)
    branches = [("attention", "head", at("attention.0.output") - piece.heads[0])]
    for branch, kind, value in [*branches, ("mlp", "neurons", mlp)]:
        edit = (branch, 0, None, [position], value[None])
        logits = ablation.run(model.model, model.ids, edit)
        after = question.value("prob", logits[position]).item()
        tree.close(find(kind, 0, "position"), case["model_value"]["prob"] - after)
    for kind in ("layer", "attention", "mlp"):
        apart = abs(find(kind, 0, "position") - find(kind, 0, "all"))
        assert apart > 100 * tree.RIGHT, (model.name, kind, apart)


DIRECT = [
    "Direct logit attribution in float64: share = direction . U (norm weight * P part / rho), rho",
    "as observed at the last state, P the centring of a LayerNorm. cases[]: token (its logit),",
    "token_centred (less the mean over the vocabulary), difference (token - versus; centring",
    "changes nothing). embedding is r_0, norm_bias the final norm's bias; blocks[]: attention, mlp,",
    "heads, neurons, attention_bias, mlp_bias. total = embedding + norm_bias + sum of attention +",
    "mlp. wrong: [attention, mlp] of every block for token: scale (each part with its own rho),",
    "norm_weight (left out), centring (left out; LayerNorm only).",
]


def direct(model):
    document = model.about(DIRECT) | {"cases": []}
    for position in POSITIONS:
        case, wrongs = model.at(position), {}
        arguments = model.head, model.states[-1][position], model.states[0][position]
        pieces = model.pieces(position)
        questions = lenses.directions(
            model.head.unembedding.shape[0], model.ids[position + 1], VERSUS
        )
        for name, direction in questions.items():
            case[name] = lenses.direct(*arguments, pieces, direction)
        tree.close(case["token"]["total"], model.logits[position][model.ids[position + 1]].item())
        branches = lambda r: [[row["attention"], row["mlp"]] for row in r["blocks"]]
        kinds = ["scale", "norm_weight"] + (["centring"] if model.head.layer_norm else [])
        for wrong in kinds:
            found = lenses.direct(*arguments, pieces, questions["token"], wrong)
            apart = (torch.tensor(branches(found)) - torch.tensor(branches(case["token"]))).abs()
            assert apart.max() > 100 * tree.RIGHT, (model.name, wrong, apart.max())
            wrongs[wrong] = branches(found)
        document["cases"].append(case | {"wrong": wrongs})
    return document


LENS = [
    "The logit lens in float64: final norm and head on every state. grid[moment][layer]: moment",
    "before (the input of the block), middle (after attention), after (the block's output); one",
    "entry per position of ids: top (ids), probabilities (theirs), and of token: logit,",
    "probability, rank (1 is the best); entropy in nats; kl_final_lens = KL(model || lens),",
    "kl_lens_final = KL(lens || model), against the model's own distribution at that position.",
]


def lens(model):
    token = model.ids[POSITIONS[0] + 1]
    grid = lenses.grid(model.head, model.found, model.blocks, token)
    return model.about(LENS) | {"token": token, "grid": grid}


KINDS = {
    "tree": whole_tree,
    "paths": paths,
    "orders": orders,
    "ablations": ablations,
    "direct": direct,
    "lens": lens,
}


def make(root, versions, kinds):
    for name in NAMES:
        model = Model(root, name, versions)
        folder = root / "tree" / name
        folder.mkdir(parents=True, exist_ok=True)
        sizes = []
        for kind in kinds:
            file = folder / f"{kind}.json"
            file.write_text(json.dumps(KINDS[kind](model), separators=(",", ":")) + "\n")
            sizes.append(f"{kind} {file.stat().st_size / 1e3:.0f} kB")
        print(f"{name}: {', '.join(sizes)}")
