#!/usr/bin/env python3
"""Remakes Tests/Fixtures/tree: the probability tree, its paths, its check and the lenses.

    Scripts/python-environment.sh
    .venv/bin/python Scripts/make-tree-fixtures.py                  # everything, some minutes
    .venv/bin/python Scripts/make-tree-fixtures.py tree ablations   # only these parts

It reads the tiny models of Tests/Fixtures/models (make-model-fixtures.py makes them) and makes one
of its own. The part `smollm2` needs the GGUF file of the default model: --gguf, or TELESCOPE_MODEL,
or the copy that Scripts/setup.sh leaves in .deps. What the files hold is said in
Tests/Fixtures/tree/README.md.
"""

import argparse
import os
import pathlib
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import torch
import transformers

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(CHECKOUT / "Scripts"), str(CHECKOUT / "Benchmarks" / "Reference")]

TINY = ["tree", "paths", "orders", "ablations", "direct", "lens"]
PARTS = [*TINY, "sandwich", "readout", "smollm2"]


def default_model():
    """The GGUF file of the default model, where setup or the environment put it."""
    if os.environ.get("TELESCOPE_MODEL"):
        return pathlib.Path(os.environ["TELESCOPE_MODEL"])
    return next((CHECKOUT / ".deps").rglob("SmolLM2-135M-Instruct.Q4_1.gguf"), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=PARTS, metavar="part", help=", ".join(PARTS))
    parser.add_argument("--gguf", type=pathlib.Path, default=default_model())
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")

    torch.set_num_threads(1)  # the order of sums, and with it the last bits, stays the same
    versions = {"torch": "2.11.0", "transformers": "5.9.0"}
    found = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
    if found != versions:
        parser.error(f"needs {versions}, found {found}: run Scripts/python-environment.sh")
    root = CHECKOUT / "Tests" / "Fixtures"

    kinds = [part for part in arguments.parts if part in TINY]
    if kinds:
        from reference import tree_fixtures

        tree_fixtures.make(root, versions, kinds)
    if "sandwich" in arguments.parts:
        from reference import sandwich_fixtures

        sandwich_fixtures.make(root, versions)
    if "readout" in arguments.parts:
        from reference import readout_paths

        readout_paths.make(root / "tree", versions)
    if "smollm2" in arguments.parts:
        from reference import smollm2_tree

        if arguments.gguf is None:
            parser.error("the part smollm2 needs --gguf: run Scripts/setup.sh, or name the file")
        smollm2_tree.make(root / "tree", arguments.gguf, versions)


if __name__ == "__main__":
    main()
