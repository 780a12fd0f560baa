#!/usr/bin/env python3
"""Write Tests/Fixtures/checkpoints/torch-archive: files that torch.save wrote, and their values.

    python3 -m pip install torch==2.11.0 safetensors==0.8.0
    python3 Scripts/make-archive-fixtures.py

Each NAME.pt has its values in NAME.safetensors, as torch.load gives them. The files that must be
refused have none. llama-tied.bin is the model of that name. written.safetensors is what
SafetensorsWriter must write, byte for byte. Running it again with the same versions gives the same
bytes; versions and seed are in provenance.json.
"""

import collections
import importlib.metadata
import json
import os
import pathlib
import zipfile

import safetensors.torch
import torch

SEED = 20261121
FOLDER = (
    pathlib.Path(__file__).resolve().parent.parent / "Tests/Fixtures/checkpoints/torch-archive"
)
MODEL = FOLDER.parent.parent / "models/llama-tied/model.safetensors"


def types():
    """Every type of number that is read, with its extremes."""
    return {
        "f32": torch.tensor([[0.1, -3e38], [1e-45, -0.0]]),
        "f64": torch.tensor([0.1, -1e300, 5e-324], dtype=torch.float64),
        "f16": torch.tensor([0.1, -65504.0, 6e-8], dtype=torch.float16),
        "bf16": torch.tensor([0.1, -3e38, 1e-40], dtype=torch.bfloat16),
        "i64": torch.tensor([-(2**63), 2**53 + 1]),
        "i32": torch.tensor([-(2**31), 2**24 + 1], dtype=torch.int32),
        "i16": torch.tensor([-32768, 7], dtype=torch.int16),
        "i8": torch.tensor([-128, 7], dtype=torch.int8),
        "u8": torch.tensor([255, 7], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
    }


def lens():
    """A state dictionary as the tuned lens has it: a linear map for each layer."""
    layers = torch.nn.ModuleList([torch.nn.Linear(6, 6) for _ in range(3)])
    return layers.state_dict()


def views():
    """Parts of one storage, in every way that numbers can stand in it."""
    base = torch.randn(60)
    cube = base[12:36].view(2, 3, 4)
    shared = {"weight": base[:6].view(2, 3)}
    return {
        "offset": base[7:19].view(3, 4),
        "single": base[5],
        "empty": base[60:].view(0, 3),
        "transposed": base[20:32].view(3, 4).t(),
        "permuted": cube.permute(2, 0, 1),
        "columns": base.view(6, 10)[:, 3:5],
        "steps": base[1::7],
        "unit": base[9:10].view(1, 1).as_strided((1, 2, 1), (2**62, 3, 2**62)),
        "empty steps": base.view(6, 10)[:0, ::2],
        "halves": base.half().view(6, 10).t(),
    }, shared


def nested():
    """Dictionaries, lists and tuples, and everything else that is passed over."""
    tied, shared = views()
    return collections.OrderedDict(
        parameter=torch.nn.Parameter(torch.randn(2, 3, dtype=torch.float64)),
        frozen=torch.nn.Parameter(torch.randn(3), requires_grad=False),
        views=tied,
        layers=[shared, shared, (torch.ones(2), {3: torch.zeros(1), -1: torch.ones(1)})],
        step=300,
        large=2**40,
        larger=-(2**70),
        negative=-(2**31),
        rate=1e-4,
        name="caf\u00e9",
        nothing=None,
        flags=[True, False],
        empty=((), [], {}),
    )


def flatten(value, name=()):
    if isinstance(value, torch.Tensor):
        yield ".".join(name), value.detach().contiguous().clone()
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from flatten(member, (*name, str(key)))
    elif isinstance(value, (list, tuple)):
        for index, member in enumerate(value):
            yield from flatten(member, (*name, str(index)))


def save(name, value, protocol=2):
    """The file, what torch.load reads from it, and the order of its tensors."""
    path = FOLDER / f"{name}.pt"
    torch.save(value, path, pickle_protocol=protocol)
    # PyTorch's own restricted reader does not know protocol 4; this file is our own.
    loaded = dict(flatten(torch.load(path, weights_only=False)))
    order = json.dumps(list(loaded))
    safetensors.torch.save_file(loaded, FOLDER / f"{name}.safetensors", {"order": order})


class Command:
    """What a hostile file holds: the call of a function when it is loaded."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def repack(name, method):
    """types.pt, written again by another program."""
    with zipfile.ZipFile(FOLDER / "types.pt") as source:
        with zipfile.ZipFile(FOLDER / f"{name}.pt", "w", method) as target:
            for entry in source.infolist():
                target.writestr(zipfile.ZipInfo(entry.filename), source.read(entry), method)


def refused():
    tensor = torch.ones(3)
    torch.save({"a": tensor, "b": Command(os.system, "touch owned")}, FOLDER / "system.pt")
    torch.save({"a": tensor, "b": Command(eval, "1 + 1")}, FOLDER / "eval.pt")
    torch.save(torch.nn.Linear(2, 2), FOLDER / "module.pt")
    torch.save({"a": tensor.expand(4, 3)}, FOLDER / "expanded.pt")
    torch.save({"a": torch.ones(2, dtype=torch.complex64)}, FOLDER / "complex.pt")
    torch.save({"a": torch.ones(2, dtype=torch.uint16)}, FOLDER / "unsigned.pt")
    torch.save({"a": {1, 2}}, FOLDER / "set.pt")
    torch.serialization.set_crc32_options(False)
    torch.save({"a": tensor}, FOLDER / "unchecked.pt")
    torch.serialization.set_crc32_options(True)


def model():
    """A whole model as older repositories have it: tied weights are named twice."""
    weights = safetensors.torch.load_file(MODEL)
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    torch.save(collections.OrderedDict(weights), FOLDER / "llama-tied.bin")


def write_expected():
    """What the writer of Telescope must write: the library's own bytes."""
    tensors = types() | {
        'quote " \\ caf\u00e9': torch.tensor(2.5),
        "empty": torch.zeros(3, 0),
        "a.f32": torch.arange(6, dtype=torch.float32).view(2, 3),
    }
    remarks = {"format": "pt \u00e9 \" \\"}
    safetensors.torch.save_file(tensors, FOLDER / "written.safetensors", remarks)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    save("types", types())
    save("lens", lens())
    save("nested", nested())
    save("protocol3", nested(), protocol=3)
    save("protocol4", nested(), protocol=4)
    save("protocol5", nested(), protocol=5)
    save("alone", torch.randn(2, 2))
    repack("stored", zipfile.ZIP_STORED)
    repack("deflated", zipfile.ZIP_DEFLATED)
    refused()
    model()
    write_expected()
    provenance = {"script": "Scripts/make-archive-fixtures.py", "seed": SEED}
    provenance |= {name: importlib.metadata.version(name) for name in ["safetensors", "torch"]}
    (FOLDER / "provenance.json").write_text(json.dumps(provenance, indent=2) + "\n")


if __name__ == "__main__":
    main()
