"""Ablations by editing a running transformers model: hooks that replace a value, nothing else."""

import torch

from . import capture
from .casts import everything_in


def _replaced(output, new):
    return (new, *output[1:]) if isinstance(output, tuple) else new


def run(model, ids, edit, dtype=torch.float64):
    """The logits [position, vocabulary] of `ids` with `edit` made, and every position run anew.

    edit: None, or (kind, layer, columns, rows, value). kind: layer, attention, mlp, context (the
    input of W_O), hidden (the input of W_down). rows: positions; columns: of context or hidden,
    None for all; value [rows, columns] or a number.
    """
    blocks, _, role = capture.parts(model)
    hooks = []
    if edit is not None:
        kind, layer, columns, rows, value = edit
        modules = role(blocks[layer])

        def put(tensor, new):
            tensor = tensor.clone()
            where = (0, rows) if columns is None else (0, torch.tensor(rows)[:, None], columns)
            tensor[where] = new
            return tensor

        def on_block(_, args, kwargs, output):
            before = args[0] if args else kwargs["hidden_states"]
            old = output[0] if isinstance(output, tuple) else output
            return _replaced(output, put(old, before[0, rows] + value))

        def on_output(_, __, output):
            return _replaced(output, put(output[0] if isinstance(output, tuple) else output, value))

        def on_input(_, args):
            return (put(args[0], value), *args[1:])

        hooks.append(
            {
                "layer": lambda: blocks[layer].register_forward_hook(on_block, with_kwargs=True),
                "attention": lambda: modules["attention"].register_forward_hook(on_output),
                "mlp": lambda: modules["down"].register_forward_hook(on_output),
                "context": lambda: modules["project"].register_forward_pre_hook(on_input),
                "hidden": lambda: modules["down"].register_forward_pre_hook(on_input),
            }[kind]()
        )
    try:
        with everything_in(dtype), torch.no_grad():
            return model(torch.tensor([ids]), use_cache=False).logits[0]
    finally:
        for hook in hooks:
            hook.remove()


def values(found, kind, layer, columns, heads):
    """What an edit of this kind replaces, at every position: [position, columns]."""
    at = lambda name: found[name][0]
    match kind:
        case "layer":
            return at(f"residual.{layer}.after") - at(f"residual.{layer}.before")
        case "attention":
            return at(f"attention.{layer}.output")
        case "mlp":
            return at(f"feedForward.{layer}.output")
        case "context":
            return at(f"attention.{layer}.heads").flatten(1)[:, columns]
        case "hidden":
            return at(f"feedForward.{layer}.hidden")[:, columns]
    raise ValueError(kind)
