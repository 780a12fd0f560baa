#!/usr/bin/env python3
"""Remakes Tests/Fixtures/models and Tests/Fixtures/readout with the Hugging Face implementation.

    Scripts/python-environment.sh
    .venv/bin/python Scripts/make-model-fixtures.py                    # everything
    .venv/bin/python Scripts/make-model-fixtures.py models iglens      # only these parts

The part `smollm2` needs the GGUF file of the default model: --gguf, or TELESCOPE_MODEL, or the
copy that Scripts/setup.sh leaves in .deps; the part `gemma3` that of Gemma 3 270M in .deps/models,
and is left out where it is not there. What the files hold is said in
Tests/Fixtures/models/README.md.
"""

import argparse
import os
import pathlib
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["PYTORCH_JIT"] = "0"  # scripted functions would keep their own dtypes

import torch
import transformers

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(CHECKOUT / "Scripts"), str(CHECKOUT / "Benchmarks" / "Reference")]

GEMMA3 = CHECKOUT / ".deps" / "models" / "gemma-3-270m-q4_k_m.gguf"
PARTS = ["models", "gguf", "iglens", "readout", "smollm2", "minilm", "gemma3"]


def default_model():
    """The GGUF file of the default model, where setup or the environment put it."""
    if os.environ.get("TELESCOPE_MODEL"):
        return pathlib.Path(os.environ["TELESCOPE_MODEL"])
    return next((CHECKOUT / ".deps").rglob("SmolLM2-135M-Instruct.Q4_1.gguf"), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=PARTS, metavar="part", help=", ".join(PARTS))
    parser.add_argument("--only", nargs="+", default=[], help="these fixtures of the part models")
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
    transformers.utils.logging.disable_progress_bar()
    root = CHECKOUT / "Tests" / "Fixtures"

    if "models" in arguments.parts:
        from reference import model_fixtures

        model_fixtures.make(root / "models", versions, arguments.only)
    if "gguf" in arguments.parts:
        from reference import bert_gguf

        bert_gguf.make(root / "models")
    if "iglens" in arguments.parts:
        from reference import iglens_fixtures

        iglens_fixtures.make(root / "models", versions)
    if "readout" in arguments.parts:
        from reference import readout_fixtures

        readout_fixtures.make(root / "readout", versions)
    if "smollm2" in arguments.parts:
        from reference import smollm2_fixtures

        if arguments.gguf is None:
            parser.error("the part smollm2 needs --gguf: run Scripts/setup.sh, or name the file")
        smollm2_fixtures.make(root / "models", arguments.gguf, versions)
    if "gemma3" in arguments.parts:
        from reference import gemma3_fixtures

        if GEMMA3.exists():
            gemma3_fixtures.make(root / "models", GEMMA3, versions)
        elif arguments.parts != PARTS:
            parser.error(f"the part gemma3 needs {GEMMA3}: run make test-models")
    if "minilm" in arguments.parts:
        from reference import minilm_fixtures

        folder = CHECKOUT / ".deps" / "models" / "all-MiniLM-L6-v2"
        if not folder.exists():
            parser.error(f"the part minilm needs {folder}: run Scripts/setup.sh")
        minilm_fixtures.make(root / "models", folder, versions)


if __name__ == "__main__":
    main()
