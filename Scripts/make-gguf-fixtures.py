#!/usr/bin/env python3
"""Writes gguf.json beside each reference model that llama.cpp knows: what its converter makes of it.

    .venv/bin/python Scripts/make-gguf-fixtures.py FOLDER [fixture ...]

FOLDER is a llama.cpp checkout, or `vendor/llama.cpp` of llama-cpp-python's source distribution
(0.3.36 made the files that are here). A gguf.json holds no weights: it has the metadata that the
converter writes, and for every tensor of its file how it is made of those of model.safetensors,
found by comparing numbers, row by row. Tests build GGUF files from it.

    metadata: [key, value]
    tensors: {name: {shape, rows: [[tensor, first row, count]], …}}    in rows of the last dimension
        plus: 1       added to every number
        turned        the rows are those of the transpose
        map: "-exp"   −eˣ of every number
        values        the numbers themselves, where no tensor has them
    config: what config.json must say otherwise, where GGUF has no word for it
"""

import json
import pathlib
import shutil
import sys
import tempfile

import numpy
import torch
from safetensors.numpy import load_file, save_file

MODELS = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "Fixtures" / "models"

# What GGUF has no word for, as llama.cpp takes it to be.
UNSAID = {
    "gemma2": {"query_pre_attn_scalar": 8},
    "gemma3": {"query_pre_attn_scalar": 8, "sliding_window_pattern": 6},
    "gemma3-rope-parameters": {
        "layer_types": ["sliding_attention"] * 2,
        "query_pre_attn_scalar": 8,
    },
    "modernbert": {"architectures": ["ModernBertModel"]},
}

# What the converter does not take (biases of Falcon, layers with and without experts, masks as
# weights, biases of ModernBERT) or leaves unsaid (windows of Qwen 2 and Mistral, dynamic scaling,
# yarn's mscale), and bfloat16, which numpy has not.
LEFT_OUT = {
    "falcon-new",
    "gpt2-bare-names",
    "llama-bfloat16-stored",
    "llama-dynamic-rope",
    "llama-yarn-mscale",
    "mistral-window",
    "modernbert-headless",
    "qwen2-layer-types",
    "qwen2-window",
    "qwen3-moe",
}
# Of encoders the converter takes no head.
ENCODERS = ("ModernBertForMaskedLM",)
HEADS = ("head.", "decoder.")  # left out by the tests, too


def yielding_all(method):
    """A method that both yields and returns a generator, as StableLM's does, loses what it returns."""

    def whole(*arguments):
        rest = yield from method(*arguments)
        if rest is not None:
            yield from rest

    return whole


def converted(converter, folder, config):
    """(metadata, tensors) that the converter writes of a model."""
    from conversion import get_model_class
    from gguf import GGUFReader, LlamaFileType

    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        for file in folder.glob("model*"):
            shutil.copy(file, place)
        if config["architectures"] == ["ModernBertModel"]:
            tensors = load_file(place / "model.safetensors")
            body = {key: value for key, value in tensors.items() if not key.startswith(HEADS)}
            save_file(body, place / "model.safetensors", metadata={"format": "pt"})
        (place / "config.json").write_text(json.dumps(config))
        # Gemma 3's rows are counted by its tokens.
        tokens = {f"t{number}": number for number in range(config.get("vocab_size", 0))}
        tokenizer = {"model": {"vocab": tokens}, "added_tokens": []}
        (place / "tokenizer.json").write_text(json.dumps(tokenizer))
        model_class = get_model_class(config["architectures"][0])
        model_class.set_vocab = lambda self: None
        model_class.modify_tensors = yielding_all(model_class.modify_tensors)
        out = place / "out.gguf"
        model = model_class(place, LlamaFileType.ALL_F32, out, hparams=config)
        model.write()
        architecture = model.gguf_writer.arch
        metadata = [
            [key, value.value]
            for values in model.gguf_writer.kv_data
            for key, value in values.items()
            if key.startswith(f"{architecture}.") or key == "general.architecture"
        ]
        tensors = {
            tensor.name: numpy.array(tensor.data).reshape(tensor.shape[::-1].tolist())
            for tensor in GGUFReader(out).tensors
        }
    return metadata, tensors


def rows(matrix):
    return matrix.reshape(-1, matrix.shape[-1])


def index(tensors, change):
    """{bytes of a row: (tensor, row)}, of rows that stand in one place only."""
    found = {}
    for name, tensor in tensors.items():
        for number, row in enumerate(rows(change(tensor)) if tensor.ndim else []):
            found.setdefault(row.tobytes(), []).append((name, number))
    return found


CHANGES = [
    ({}, lambda tensor: tensor),
    ({"plus": 1}, lambda tensor: tensor + numpy.float32(1)),
    ({"turned": True}, lambda tensor: tensor.T.copy() if tensor.ndim == 2 else tensor),
    ({"map": "-exp"}, lambda tensor: -torch.exp(torch.from_numpy(tensor)).numpy()),
]


def recipe(tensor, indices):
    """How a tensor is made of the model's."""
    for (how, _), known in zip(CHANGES, indices):
        runs = []
        for row in rows(tensor):
            places = known.get(row.tobytes())
            if places is None:
                break
            # Where several tensors have the row, the one that goes on.
            following = runs and (runs[-1][0], runs[-1][1] + runs[-1][2])
            if following in places:
                runs[-1][2] += 1
            else:
                runs.append([*places[0], 1])
        else:
            return {"shape": list(tensor.shape), "rows": runs, **how}
    assert tensor.ndim == 1, "a matrix that is not made of the model's rows"
    return {"shape": list(tensor.shape), "values": tensor.tolist()}


def main():
    converter = pathlib.Path(sys.argv[1])
    sys.path[:0] = [str(converter / "gguf-py"), str(converter)]
    from conversion import get_model_class

    for folder in sorted(MODELS.iterdir()):
        name = folder.name
        if (sys.argv[2:] and name not in sys.argv[2:]) or name in LEFT_OUT:
            continue
        if not (folder / "config.json").exists():
            continue
        config = json.loads((folder / "config.json").read_text())
        if not config["architectures"][0].endswith(("CausalLM", "LMHeadModel", *ENCODERS)):
            continue
        try:
            get_model_class(config["architectures"][0])
        except NotImplementedError:
            print(f"{name}: not an architecture of llama.cpp")
            continue
        unsaid = UNSAID.get(name, {})
        # Older converters look for the spelling of transformers 4.
        metadata, tensors = converted(converter, folder, config | unsaid)
        own = {}
        for file in sorted(folder.glob("model*.safetensors")):
            own |= load_file(file)
        indices = [index(own, change) for _, change in CHANGES]
        document = {
            "metadata": metadata,
            "tensors": {key: recipe(value, indices) for key, value in tensors.items()},
        }
        if unsaid:
            document["config"] = unsaid
        (folder / "gguf.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")
        print(f"{name}: {(folder / 'gguf.json').stat().st_size / 1e3:.1f} kB")


if __name__ == "__main__":
    main()
