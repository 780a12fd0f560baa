"""Writes Tests/Fixtures/models/<name>: config, weights and reference values in two precisions."""

import json
import math

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

from . import capture, fixtures, plain

TOLERANCE = 1e-5  # float32, |Δ| ≤ tol · (1 + |x|); a mistake must show by 100 times as much
# What float32 itself may lose, so that the tolerance is fair to other orders of sums.
CONDITION = 2.5e-6
CONTINUATION = 8


def worst(actual, expected):
    """The largest |Δ| / (1 + |x|)."""
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    return ((actual - expected).abs() / (1 + expected.abs())).max().item()


def greedy(config, state, ids, count):
    """The ids that follow, one whole forward pass each; refuses a choice that is nearly a tie."""
    ids, chosen = list(ids), []
    for _ in range(count):
        logits = plain.run(config, state, ids, torch.float64)["logits"][-1]
        best, second = logits.topk(2).values.tolist()
        assert best - second > 1e-3, "a greedy choice is nearly a tie: change the seed"
        chosen.append(int(logits.argmax()))
        ids.append(chosen[-1])
    return chosen


def reference(config, state, folder, dtype):
    """Every stored value of one fixture, in one precision."""
    model = capture.build(folder, state, dtype)
    agreement = 1e-12 if dtype == torch.float64 else 2 * CONDITION
    stored = {}
    for number, ids in enumerate(fixtures.SEQUENCES):
        token = 7 + number
        found = capture.sites(model, ids, dtype, gradient_of=(len(ids) - 1, token))
        own = plain.run(config, state, ids, dtype)
        assert set(own) == {name for name in found if not name.startswith("gradient.")}
        for name, value in own.items():
            assert worst(found[name][0], value) < agreement, (name, worst(found[name][0], value))
        greedy_ids = greedy(config, state, ids, CONTINUATION)
        stored[f"{number}.ids"] = torch.tensor(ids)
        stored[f"{number}.greedy"] = torch.tensor(greedy_ids)
        stored[f"{number}.gradient.of"] = torch.tensor([len(ids) - 1, token])
        for name, value in found.items():
            # The second sequence is there for another length: its sites follow from these.
            if number == 0 or name in ("embedding", "logits") or name.endswith(".after"):
                stored[f"{number}.{name}"] = value
    ids = fixtures.SEQUENCES[0]
    right = plain.run(config, state, ids, dtype)
    for wrong in plain.mistakes(config):
        logits = plain.run(config, state, ids, dtype, wrong)["logits"][-1]
        difference = worst(logits, right["logits"][-1])
        assert difference > 100 * TOLERANCE, f"{folder.name}: '{wrong}' shows by {difference} only"
        stored[f"wrong.{wrong}"] = logits
    # Neither a flat softmax nor a one-hot one tests attention or the readout.
    for name, value in right.items():
        if name.endswith(".pattern"):
            entropy = torch.special.entr(value[:, -1]).sum(-1).mean().item()
            assert 0.1 < entropy < 0.95 * math.log(len(ids)), (folder.name, name, entropy)
    best = right["logits"][-1].softmax(-1).max().item()
    assert 0.03 < best < 0.99, (folder.name, best)
    return stored


def make(root, versions):
    """Writes every fixture below `root`, each from its own seed."""
    total = 0
    for name, (config, seed, layout) in fixtures.FIXTURES.items():
        folder = root / name
        for pattern in ("config.json", "model*", "reference-*"):
            for old in folder.glob(pattern):
                old.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        state = weights(folder, config, seed, layout)
        single = reference(config, state, folder, torch.float32)
        double = reference(config, state, folder, torch.float64)
        noise = max(worst(single[n].double(), double[n]) for n in double)
        assert noise < CONDITION, f"{name}: float32 is off by {noise}: change the seed"
        for dtype, stored in ((torch.float32, single), (torch.float64, double)):
            label = str(dtype).removeprefix("torch.")
            # One key only: the file format does not keep the order of several.
            made = {"made": ", ".join(f"{k} {v}" for k, v in {**versions, "seed": seed}.items())}
            save_file(stored, folder / f"reference-{label}.safetensors", made)
        for file in folder.iterdir():
            file.chmod(0o644)
        size = sum(file.stat().st_size for file in folder.iterdir())
        total += size
        mistakes = ", ".join(plain.mistakes(config))
        print(f"{name}: {size / 1e3:.0f} kB, float32 {noise:.1e}, wrong variants: {mistakes}")
    print(f"models: {total / 1e6:.2f} MB")


def weights(folder, config, seed, layout):
    """Draws and writes the weights of one fixture and returns them as a reader sees them."""
    (folder / "config.json").write_text(json.dumps(config))
    empty = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    return fixtures.store(folder, config, fixtures.draw(empty, seed), layout)
