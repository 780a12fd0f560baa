"""The parts of an attribution from their definition, slowly: autograd at every node, float64.

What a block adds at one position, Δ = attention + MLP, is taken apart: attention = Σ heads + bias,
head = Σ over source tokens of α W_O v, MLP = Σ neurons · column of W_down + bias. A part's score is
⟨ḡ, part⟩ with ḡ the mean of the gradient of the readout along the segment.
"""

import dataclasses
import functools

import torch

from . import iglens

NODES = 128  # of Gauss–Legendre on each panel; a segment is two panels or more
DEPTH = 30
SUMS = 1e-10  # a level's parts and their parent
RIGHT = 1e-8  # what the tests ask for; a mistake must show by 100 times as much


@dataclasses.dataclass
class Block:
    """What one block adds at one position, in pieces that are vectors of the residual stream."""

    layer: int
    attention: torch.Tensor  # [width]
    heads: torch.Tensor  # [heads, width]
    sources: torch.Tensor  # [heads, keyPosition, width]
    attention_bias: torch.Tensor | None
    mlp: torch.Tensor
    neurons: torch.Tensor  # [hidden, width]
    mlp_bias: torch.Tensor | None

    @property
    def update(self):
        return self.attention + self.mlp


def output_weights(state, layer):
    """W_O, its bias, W_down, its bias, with W as [width, input]; a bias may be None."""
    if f"transformer.h.{layer}.attn.c_proj.weight" in state:  # stored as [input, width]
        names = f"transformer.h.{layer}.attn.c_proj", f"transformer.h.{layer}.mlp.c_proj"
        turned = True
    else:
        names = f"model.layers.{layer}.self_attn.o_proj", f"model.layers.{layer}.mlp.down_proj"
        turned = False
    found = []
    for name in names:
        weight = state[name + ".weight"].double()
        bias = state.get(name + ".bias")
        found += [weight.T if turned else weight, None if bias is None else bias.double()]
    return found


def block(state, found, layer, position, wrong=None):
    """The pieces of block `layer` at `position`; `wrong`: pattern, shift, columns or groups."""
    output, output_bias, down, down_bias = output_weights(state, layer)
    context = found[f"attention.{layer}.heads"][0, position]  # heads, headWidth
    pattern = found[f"attention.{layer}.pattern"][0, :, position]  # heads, keyPosition
    value = found[f"attention.{layer}.value"][0]  # key-value heads, keyPosition, headWidth
    count, width = context.shape
    heads, sources = [], []
    for head in range(count):
        owner = (head + 1) % count if wrong == "columns" else head
        columns = output[:, owner * width : (owner + 1) * width]
        group = head * value.shape[0] // count
        if wrong == "groups":
            group = head % value.shape[0]
        own = pattern[(head + 1) % count if wrong == "pattern" else head]
        seen = value[group].roll(-1, 0) if wrong == "shift" else value[group]
        heads.append(columns @ context[head])
        rows = range(position + 1)
        sources.append(torch.stack([own[s] * (columns @ seen[s]) for s in rows]))
    hidden = found[f"feedForward.{layer}.hidden"][0, position]
    neurons = torch.stack([hidden[n] * down[:, n] for n in range(len(hidden))])
    made = Block(
        layer=layer,
        attention=found[f"attention.{layer}.output"][0, position],
        heads=torch.stack(heads),
        sources=torch.stack(sources),
        attention_bias=output_bias,
        mlp=found[f"feedForward.{layer}.output"][0, position],
        neurons=neurons,
        mlp_bias=down_bias,
    )
    if wrong is None:
        none = torch.zeros_like(made.attention)
        bias = lambda value: none if value is None else value
        same(made.heads.sum(0) + bias(made.attention_bias), made.attention, 1e-12)
        same(made.sources.sum(1), made.heads, 1e-12)
        same(made.neurons.sum(0) + bias(made.mlp_bias), made.mlp, 1e-12)
        before, after = (found[f"residual.{layer}.{m}"][0, position] for m in ("before", "after"))
        same(made.update, after - before, 1e-12)
    return made


def same(actual, expected, tolerance):
    gap = (actual - expected).abs().max().item()
    assert gap < tolerance * (1 + expected.abs().max().item()), (gap, tolerance)


rule = functools.cache(iglens.gauss)


def mean_gradient(function, start, end, depth=0):
    """∫ ∇f dt on the line from start to end: Gauss–Legendre, autograd at each node.

    The line is halved, and each half again, until halving moves no entry: a line that comes near
    the origin has its bend in a small place.
    """
    middle = start + (end - start) / 2
    whole = quadrature(function, start, end)
    halves = (quadrature(function, start, middle) + quadrature(function, middle, end)) / 2
    # A panel of depth k is 2^-k of the line: so is its share of what may be off.
    if (halves - whole).abs().max() < 1e-13 * 2**depth * (1 + halves.abs().max()):
        return halves
    assert depth < DEPTH, "this segment does not settle"
    left, right = (start, middle), (middle, end)
    return sum(mean_gradient(function, *half, depth + 1) for half in (left, right)) / 2


def quadrature(function, start, end, nodes=NODES):
    times = torch.tensor([[t] for t, _ in rule(nodes)], dtype=start.dtype)
    weights = torch.tensor([w for _, w in rule(nodes)], dtype=start.dtype)
    states = (start + times * (end - start)).requires_grad_(True)
    # Each row's value depends on that row alone, so the gradient of the sum holds every row's.
    (gradients,) = torch.autograd.grad(function(states).sum(), states)
    return weights @ gradients


def segments(layers):
    """(layer, the blocks that lie between it and the one chosen before) of each chosen layer."""
    found, below = [], -1
    for layer in layers:
        found.append((layer, list(range(below + 1, layer + 1))))
        below = layer
    return found


def scores(gradient, piece, depth):
    """The scores of one block's pieces; depth: head, or token for neurons and sources too."""
    score = lambda vector: 0.0 if vector is None else (gradient @ vector).item()
    result = {
        "layer": piece.layer,
        "attention": score(piece.attention),
        "mlp": score(piece.mlp),
        "heads": [score(head) for head in piece.heads],
    }
    if piece.attention_bias is not None:
        result["attention_bias"] = score(piece.attention_bias)
    if depth == "token":
        result["sources"] = [[score(source) for source in head] for head in piece.sources]
        result["neurons"] = [score(neuron) for neuron in piece.neurons]
        if piece.mlp_bias is not None:
            result["mlp_bias"] = score(piece.mlp_bias)
    check(result)
    return result


def check(result):
    """Each level sums to its parent."""
    bias = result.get("attention_bias", 0.0)
    close(result["attention"], sum(result["heads"]) + bias)
    if "sources" in result:
        for head, sources in zip(result["heads"], result["sources"]):
            close(head, sum(sources))
        close(result["mlp"], sum(result["neurons"]) + result.get("mlp_bias", 0.0))


def close(actual, expected):
    assert abs(actual - expected) < SUMS * (1 + abs(expected)), (actual, expected)


def points(states, position, layers, start):
    """The path's states: the baseline, then the state after each chosen layer."""
    return [start] + [states[layer + 1][position] for layer in layers]


def chain(function, path, layers, pieces, embedding, depth):
    """Each segment on its own line. `embedding` is r_0 at the position."""
    values = [function(state).item() for state in path]
    rows = []
    for number, (layer, inside) in enumerate(segments(layers)):
        start, end = path[number], path[number + 1]
        gradient = mean_gradient(function, start, end)
        rows.append(
            row(gradient, layer, inside, pieces, embedding - start if number == 0 else None, depth)
        )
        rows[-1]["value"] = values[number + 1] - values[number]
        rows[-1]["path_gradient"] = gradient.tolist()
        # The blocks' parts are the whole segment: with them the gradient theorem can be checked.
        close(rows[-1]["value"], total(rows[-1]))
    return {"baseline_value": values[0], "final_value": values[-1], "segments": rows}


def straight(function, path, layers, pieces, embedding, depth):
    """One line from the baseline to the last state; every layer scored with its one gradient."""
    gradient = mean_gradient(function, path[0], path[-1])
    rows = []
    for number, (layer, inside) in enumerate(segments(layers)):
        first = embedding - path[0] if number == 0 else None
        rows.append(row(gradient, layer, inside, pieces, first, depth))
        rows[-1]["value"] = (gradient @ (path[number + 1] - path[number])).item()
        close(rows[-1]["value"], total(rows[-1]))
    values = [function(state).item() for state in (path[0], path[-1])]
    close(values[1] - values[0], sum(row["value"] for row in rows))
    return {
        "baseline_value": values[0],
        "final_value": values[1],
        "path_gradient": gradient.tolist(),
        "segments": rows,
    }


def row(gradient, layer, inside, pieces, first, depth):
    """One segment's scores; `first` is embedding − baseline where the segment begins there."""
    result = {"layer": layer}
    if first is not None:
        result["embedding"] = (gradient @ first).item()
    result["blocks"] = [scores(gradient, pieces[index], depth) for index in inside]
    return result


def total(segment):
    """The sum of a segment's parts."""
    blocks = sum(block["attention"] + block["mlp"] for block in segment["blocks"])
    extra = sum(segment.get(key, 0.0) for key in ("embedding", "mean", "translator"))
    return blocks + extra


def inside(function, path, layers, pieces, embedding, attention_first):
    """Each chosen layer on its own corners: embedding, then one branch, then the other."""
    rows = []
    for number, (layer, blocks) in enumerate(segments(layers)):
        state, result = path[number], {"layer": layer, "blocks": []}
        value = function(state).item()

        def step(change):
            nonlocal state, value
            before, state = value, state + change
            value = function(state).item()
            return value - before

        if number == 0:
            result["embedding"] = step(embedding - state)
        for index in blocks:
            piece, scored = pieces[index], {"layer": index}
            order = ["attention", "mlp"] if attention_first else ["mlp", "attention"]
            for branch in order:
                scored[branch] = step(getattr(piece, branch))
            result["blocks"].append(scored)
        same(state, path[number + 1], 1e-12)
        rows.append(result)
    return rows
