"""The weights of the tiny random models, and how they are stored."""

import json

import torch
from safetensors.torch import save_file

from . import capture, families
from .families.llama import llama

__all__ = ["FIXTURES", "SEQUENCES", "draw", "llama", "store"]

SEQUENCES = [[5, 17, 96, 3, 41, 17, 0, 60, 29], [88, 2, 2, 71, 33, 9]]
FIXTURES = families.fixtures()


def draw(model, seed):
    """Weights that hide nothing: norms away from 1, biases away from 0, attention not uniform."""
    generator = torch.Generator().manual_seed(seed)
    own = getattr(capture.of(model), "draw", lambda name, noise: None)
    words = model.get_input_embeddings().weight
    state = {}
    for name, old in sorted(model.state_dict().items()):
        if not old.is_floating_point():
            state[name] = old
            continue
        noise = torch.randn(old.shape, generator=generator, dtype=torch.float64)
        owner = model.get_submodule(name.rpartition(".")[0])
        value = own(name, noise)
        # Larger weights would make float32 itself lose more than the tests allow.
        if value is not None:
            pass
        elif "Norm" in type(owner).__name__:
            value = 0.2 * noise + (1.2 if name.endswith("weight") else 0.0)
        elif name.endswith("bias"):
            value = 0.3 * noise
        elif old.data_ptr() == words.data_ptr() and not name.startswith("lm_head"):
            value = 0.4 * noise
        else:
            value = 0.2 * noise
        state[name] = value.float()
    for name, source in tied(model).items():
        state[name] = state[source]
    return state


def tied(model):
    """{name: the name whose weight it shares}: what a checkpoint leaves out."""
    return model.all_tied_weights_keys if model.config.tie_word_embeddings else {}


def store(folder, config, state, layout, left_out=()):
    """Writes config.json and the weights; returns the weights as a reader will see them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    if layout == "bfloat16":
        state = {name: value.bfloat16() for name, value in state.items()}
    kept = {name: value for name, value in state.items() if name not in left_out}
    published = getattr(families.family(config["model_type"]), "checkpoint", lambda s, _: s)
    stored = {name: value.contiguous() for name, value in published(kept, config).items()}
    if layout == "bare names":
        # The oldest published checkpoints: no `transformer.` prefix, causal masks as weights.
        stored = {name.removeprefix("transformer."): value for name, value in stored.items()}
        context = config["n_ctx"]
        for layer in range(config["n_layer"]):
            mask = torch.ones(context, context).tril().view(1, 1, context, context)
            stored[f"h.{layer}.attn.bias"] = mask.contiguous()
    metadata = {"format": "pt"}
    if layout == "two shards":
        names = sorted(stored)
        shards = {
            "model-00001-of-00002.safetensors": names[::2],
            "model-00002-of-00002.safetensors": names[1::2],
        }
        for file, own in shards.items():
            save_file({name: stored[name] for name in own}, folder / file, metadata)
        size = sum(value.numel() * value.element_size() for value in stored.values())
        index = {
            "metadata": {"total_size": size},
            "weight_map": {name: file for file, own in shards.items() for name in own},
        }
        text = json.dumps(index, indent=2, sort_keys=True) + "\n"
        (folder / "model.safetensors.index.json").write_text(text)
    else:
        save_file(stored, folder / "model.safetensors", metadata)
    as_read = lambda value: value.float() if value.is_floating_point() else value
    return {name: as_read(value) for name, value in state.items()}
