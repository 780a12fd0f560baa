#!/usr/bin/env python3
"""Layer-wise Integrated Gradients target by target, as published, on a BERT in PyTorch.

    .venv/bin/python Benchmarks/Reference/lig_twin.py --model FOLDER --threads 2

FOLDER is a checkpoint of BERT's layout (all-MiniLM-L6-v2); a folder that is not there is made first, a
random BERT of the base size. The procedure is that of arXiv 2606.21564 and its package: for each layer
and each target (and each head, of z -> u) all nodes of the path go through the layer's own module in one
batch, and one backward pass gives the gradients at every node. Weights need no gradient, what the path
starts from is computed once, and attention alone is run where only attention is asked for. It reads one
JSON object a line, as iglens_twin.py does.

    {"task": "layer", "ids": [...], "baseline": "itb", "steps": 32}
        z -> z': every target of every layer -> values[layer][source][target]
    {"task": "attention", "ids": [...], "baseline": "itb", "steps": 32, "targets": [...], "heads": [...]}
        z -> u, of the targets and heads given -> values[layer][source][target][head]
    {"task": "forward", "ids": [...]}
        the model alone

"layers", "targets" and "heads" may be given; "summary": true answers with the sum alone. Nodes are those
of the package's `riemann_trapezoid`: k / (n - 1) with weights 1/n, halves at the ends.
"""

import pathlib

import protocol  # first: it sets what transformers reads when it is imported
import torch
import transformers

transformers.utils.logging.disable_progress_bar()


def load(folder):
    path = pathlib.Path(folder)
    if not (path / "config.json").exists():
        torch.manual_seed(1)
        transformers.BertModel(transformers.BertConfig(), add_pooling_layer=False).save_pretrained(path)
    model = transformers.BertModel.from_pretrained(
        path, attn_implementation="eager", add_pooling_layer=False
    )
    return model.eval().requires_grad_(False)


def trapezoid(steps):
    """Places and weights of captum's rule."""
    weights = torch.full((steps,), 1 / steps)
    weights[0] = weights[-1] = 1 / (2 * steps)
    return torch.linspace(0, 1, steps), weights


@torch.no_grad()
def entering(model, ids):
    """What enters each layer: [token, width]."""
    states = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
    return [state[0] for state in states[:-1]]


def block(layer):
    """z -> z': [batch, token, width]."""

    def run(x):
        made = layer(x)
        return made[0] if isinstance(made, tuple) else made

    return run


def heads_of(layer):
    """z -> u, attention alone: [batch, token, width]."""
    return lambda x: layer.attention.self(x)[0]


def start(z, target, baseline):
    """Where the paths to a target begin."""
    return torch.zeros_like(z) if baseline == "zero" else z[target].expand_as(z)


def attribute(run, z, b, places, weights, choose, at_start):
    """What each source gives: one forward and one backward pass of all nodes together."""
    x = (b + places[:, None, None] * (z - b)).requires_grad_(True)
    change = choose(run(x)) - choose(at_start)
    (gradient,) = torch.autograd.grad(change.norm(dim=-1).sum(), x)
    mean = (weights[:, None, None] * gradient).sum(0)
    return ((z - b) * mean).sum(-1)


def flows(model, request, module, cells):
    """values[layer][source][cell], a cell for each choice of a part of the output."""
    places, weights = trapezoid(request.get("steps", 32))
    states = entering(model, request["ids"])
    layers = request.get("layers", range(len(states)))
    baseline = request.get("baseline", "itb")
    found = []
    for number in layers:
        z, run = states[number], module(model.encoder.layer[number])
        columns, held = [], None
        for target, parts in cells:
            b = start(z, target, baseline)
            # Of a zero baseline the start is every target's.
            if held is None or baseline != "zero":
                with torch.no_grad():
                    held = run(b[None])
            for part in parts:
                choose = lambda y, target=target, part=part: y[:, target, part]
                columns.append(attribute(run, z, b, places, weights, choose, held))
        found.append(torch.stack(columns, -1))
    return torch.stack(found)


def answer(values, request):
    if request.get("summary"):
        return {"sum": values.double().sum().item()}
    return {"values": values.tolist()}


def layer(model, request):
    targets = request.get("targets", range(len(request["ids"])))
    return answer(
        flows(model, request, block, [(target, [slice(None)]) for target in targets]), request
    )


def attention(model, request):
    targets = request.get("targets", range(len(request["ids"])))
    heads = request.get("heads", range(model.config.num_attention_heads))
    width = model.config.hidden_size // model.config.num_attention_heads
    parts = [slice(head * width, (head + 1) * width) for head in heads]
    values = flows(model, request, heads_of, [(target, parts) for target in targets])
    return answer(values.unflatten(-1, (len(targets), len(parts))), request)


@torch.no_grad()
def forward(model, request):
    return {"last": model(torch.tensor([request["ids"]])).last_hidden_state[0, -1, :8].tolist()}


if __name__ == "__main__":
    protocol.serve(
        __doc__.splitlines()[0],
        {"layer": layer, "attention": attention, "forward": forward},
        load,
    )
