#!/usr/bin/env python3
"""Captum's gradient methods on transformers' SmolLM2, as a process that answers requests.

    .venv/bin/python Benchmarks/Reference/gradients_twin.py --model MODEL.gguf --threads 2

It reads one JSON object a line, as iglens_twin.py does. The metric is a difference of two logits at the last
position; only that position goes through the head, and no weight needs a gradient. Paths lead from the patch's
embeddings, or without a patch from zero, to the text's.

    {"task": "conductance", "ids": [...], "patch": [...], "metric": [token, versus], "steps": 20,
     "what": "neurons" or "blocks", "layers": [...]}
        LayerConductance of each layer, one after the other, all steps in one batch -> each layer's sum
        and, with "values": true, every number of it
    {"task": "integrated", "ids": [...], "patch": [...], "metric": [token, versus], "steps": 50}
        IntegratedGradients of the embeddings, its default rule -> each token's sum; with "delta": true, two
        passes more -> what their sum misses
    {"task": "passes", "ids": [...], "metric": [token, versus]}
        one pass forwards and one backwards to the embeddings
"""

import protocol  # first: it sets what transformers reads when it is imported
import torch
from captum.attr import IntegratedGradients, LayerConductance


def metric(model, request):
    """From embeddings [batch, position, width] to a number for each row."""
    token, versus = request["metric"]

    def run(embeddings):
        logits = model(inputs_embeds=embeddings, use_cache=False, logits_to_keep=1).logits[:, -1]
        return logits[:, token] - logits[:, versus]

    return run


def ends(model, request):
    embed = model.get_input_embeddings()
    text = embed(torch.tensor([request["ids"]]))
    return text, embed(torch.tensor([request["patch"]])) if "patch" in request else 0 * text


def conductance(model, request):
    text, patch = ends(model, request)
    run = metric(model, request)
    blocks = model.model.layers
    sums, values = [], []
    for layer in request.get("layers", range(len(blocks))):
        neurons = request["what"] == "neurons"
        module = blocks[layer].mlp.down_proj if neurons else blocks[layer]
        found = LayerConductance(run, module).attribute(
            text,
            baselines=patch,
            n_steps=request["steps"],
            method="riemann_trapezoid",  # points k/n; the gradient at the first of each two
            attribute_to_layer_input=neurons,
        )
        found = found[0] if isinstance(found, tuple) else found
        sums.append(found.sum().item())
        if request.get("values"):
            values.append(found[0].flatten().tolist())
    return {"sums": sums} | ({"values": values} if values else {})


def integrated(model, request):
    text, patch = ends(model, request)
    method = IntegratedGradients(metric(model, request))
    if request.get("delta"):
        _, delta = method.attribute(
            text, baselines=patch, n_steps=request["steps"], return_convergence_delta=True
        )
        return {"delta": delta.abs().item()}
    found = method.attribute(text, baselines=patch, n_steps=request["steps"])
    return {"tokens": found[0].sum(-1).tolist()}


def passes(model, request):
    text = model.get_input_embeddings()(torch.tensor([request["ids"]])).requires_grad_()
    (gradient,) = torch.autograd.grad(metric(model, request)(text).sum(), text)
    return {"sum": gradient.sum().item()}


if __name__ == "__main__":
    protocol.serve(
        __doc__.splitlines()[0],
        {"conductance": conductance, "integrated": integrated, "passes": passes},
    )
