#!/usr/bin/env python3
"""Remakes Tests/Fixtures/gradients: backward rules, paths and edges on tiny models.

    Scripts/python-environment.sh
    .venv/bin/python Scripts/make-gradient-fixtures.py                 # everything
    .venv/bin/python Scripts/make-gradient-fixtures.py gemma2 bert     # only these models

It reads the tiny models of Tests/Fixtures/models (make-model-fixtures.py makes them), and nothing in it is
random. What the files hold is said in Tests/Fixtures/gradients/README.md.
"""

import argparse
import os
import pathlib
import sys

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"  # the order of sums, and with it the last bits, stays the same

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["PYTORCH_JIT"] = "0"

import numpy
import torch
import transformers

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(CHECKOUT / "Scripts")]


def main():
    from reference import gradient_fixtures

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="model")
    arguments = parser.parse_args()
    unknown = set(arguments.models) - set(gradient_fixtures.CASES)
    if unknown:
        parser.error(f"no {', '.join(sorted(unknown))}; there are {', '.join(gradient_fixtures.CASES)}")
    torch.set_num_threads(1)
    versions = {
        "numpy": numpy.__version__,
        "torch": torch.__version__.split("+")[0],
        "transformers": transformers.__version__,
    }
    gradient_fixtures.make(CHECKOUT / "Tests" / "Fixtures", versions, arguments.models)


if __name__ == "__main__":
    main()
