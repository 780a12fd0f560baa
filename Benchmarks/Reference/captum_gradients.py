#!/usr/bin/env python3
"""Captum beside the numbers that Telescope's tests are held to, on the same tiny models in float64.

    .venv/bin/python Benchmarks/Reference/captum_gradients.py

For each model with paths in Tests/Fixtures/gradients it prints the largest |captum - judge| / (1 + |judge|) of every
method that captum computes as it is defined. Its trapezoid rule puts n nodes where n + 1 belong and is left out; its
LayerConductance takes the gradient at the start of each step.
"""

import json
import os
import pathlib
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["PYTORCH_JIT"] = "0"

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "Scripts"))

import captum
import torch
from captum.attr import IntegratedGradients, InternalInfluence, LayerConductance
from captum.attr import LayerGradientXActivation, LayerIntegratedGradients
from reference import capture
from reference.casts import everything_in
from reference.gradient_fixtures import PATHS, STEPS
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM
from transformers.utils import logging

# IntegratedGradients weighs its nodes in single precision, whatever the model is in.
TOLERANCES = {"input IG": 1e-7}
TOLERANCE = 1e-12


class Case:
    """A tiny model with its judged numbers."""

    def __init__(self, name):
        root = CHECKOUT / "Tests" / "Fixtures"
        file = root / "gradients" / f"{name}.safetensors"
        self.stored = load_file(file)
        with safe_open(file, "pt") as opened:
            self.sites = json.loads(opened.metadata()["sites"])
        folder = root / "models" / name
        config = json.loads((folder / "config.json").read_text())
        is_masked = config["architectures"][0].endswith("ForMaskedLM")
        make = AutoModelForMaskedLM if is_masked else AutoModelForCausalLM
        # Its loader knows the names of old checkpoints; capture.build keeps every step in float64.
        state = make.from_pretrained(folder, dtype=torch.float32).state_dict()
        self.model = capture.build(folder, state, torch.float64)
        self.taps = capture.of(self.model).taps(self.model)
        self.text, self.patch = (
            self.embedding(self.stored[f"{which}.ids"][None]) for which in ("clean", "patch")
        )

    def embedding(self, ids):
        """What the first block receives."""
        found = []
        first = self.taps["residual.0.before"].module
        hook = first.register_forward_pre_hook(lambda _, args: found.append(args[0].detach()))
        with everything_in(torch.float64):
            self.model(input_ids=ids)
        hook.remove()
        return found[0]

    def run(self, embeddings):
        """The metric of what the first block receives."""
        token, versus, position = self.stored["metric"].tolist()
        first = self.taps["residual.0.before"].module
        hook = first.register_forward_pre_hook(lambda _, args: (embeddings, *args[1:]))
        ids = self.stored["clean.ids"][None].expand(len(embeddings), -1)
        try:
            with everything_in(torch.float64):
                logits = self.model(input_ids=ids).logits[:, position]
        finally:
            hook.remove()
        return logits[:, token] - logits[:, versus]

    def known(self, name, site):
        start, count = 0, self.text.shape[1]
        for other, units in self.sites:
            if other == site:
                return self.stored[name][start : start + count * units].view(count, units)
            start += count * units

    def module(self, site):
        """(module, whether its input is meant)."""
        kind, layer = site.split(".")
        if kind == "residual":
            return self.taps[f"residual.{layer}.after"].module, False
        return self.taps[f"feedForward.{layer}.hidden"].module, True


def compare(case):
    found = {}

    def note(what, value, known):
        error = ((value - known).abs() / (1 + known.abs())).max().item()
        found[what] = max(found.get(what, 0), error)

    paths = {"baselines": case.patch, "n_steps": STEPS}
    difference = (case.text - case.patch)[0]
    for ours, theirs in [
        ("left", "riemann_left"),
        ("right", "riemann_right"),
        ("midpoint", "riemann_middle"),
        ("gauss", "gausslegendre"),
    ]:
        value = IntegratedGradients(case.run).attribute(case.text, method=theirs, **paths)[0]
        note(f"input IG, {ours}", value, difference * case.known(f"mean-gradient.{ours}", "embedding"))
    for site, _ in case.sites:
        if site.split(".")[0] not in ("residual", "hidden"):
            continue
        module, is_input = case.module(site)
        options = {"attribute_to_layer_input": is_input}
        take = lambda value: (value[0] if isinstance(value, tuple) else value)[0]
        value = LayerConductance(case.run, module).attribute(
            case.text, method="riemann_trapezoid", **paths, **options
        )
        note("layer conductance, left", take(value), case.known("conductance.left", site))
        value = InternalInfluence(case.run, module).attribute(
            case.text, method="gausslegendre", **paths, **options
        )
        note("internal influence, gauss", take(value), case.known("mean-gradient.gauss", site))
        value = LayerGradientXActivation(case.run, module).attribute(case.text, **options)
        known = case.known("clean.value", site) * case.known("coefficient.gradient", site)
        note("gradient x activation", take(value), known)
    return found


def main():
    logging.disable_progress_bar()
    # Captum makes places and weights of paths in the default type.
    torch.set_default_dtype(torch.float64)
    print(f"captum {captum.__version__}, torch {torch.__version__}, N = {STEPS}")
    failed = []
    for name in PATHS:
        for what, error in compare(Case(name)).items():
            print(f"{name:14} {what:28} {error:.1e}")
            if error > TOLERANCES.get(what.split(",")[0], TOLERANCE):
                failed.append(f"{name}: {what}")
    if failed:
        sys.exit(f"captum and the judge differ: {', '.join(failed)}")


if __name__ == "__main__":
    main()
