#!/usr/bin/env python3
"""Remakes Tests/Fixtures/tree: the probability tree, its paths, its check and the lenses.

    Scripts/python-environment.sh
    .venv/bin/python Scripts/make-tree-fixtures.py                  # everything, two minutes
    .venv/bin/python Scripts/make-tree-fixtures.py tree ablations   # only these parts

It reads the tiny models of Tests/Fixtures/models (make-model-fixtures.py makes them) and makes one
of its own. What the files hold is said in Tests/Fixtures/tree/README.md.
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
sys.path.insert(0, str(CHECKOUT / "Scripts"))

PARTS = ["tree", "paths", "orders", "ablations", "direct", "lens", "readout"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=PARTS, metavar="part", help=", ".join(PARTS))
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

    from reference import readout_paths, tree_fixtures

    kinds = [part for part in arguments.parts if part != "readout"]
    if kinds:
        tree_fixtures.make(root, versions, kinds)
    if "readout" in arguments.parts:
        readout_paths.make(root / "tree", versions)


if __name__ == "__main__":
    main()
