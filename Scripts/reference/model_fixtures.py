"""Writes Tests/Fixtures/models/<name>: config, weights and reference values in float64."""

import contextlib
import copy
import json
import math

import torch
from safetensors.torch import save_file

from . import capture, families, fixtures, plain

TOLERANCE = 1e-5  # of float32, |Δ| ≤ tol · (1 + |x|); a mistake must show by 100 times as much
# What float32 itself may lose, so that the tolerance is fair to other orders of sums.
CONDITION = 2.5e-6
CONTINUATION = 8
SEEDS = 300  # how many are tried


class Unsuitable(Exception):
    """The weights of this seed would make a poor fixture: the next one is tried."""


def suits(condition, why):
    if not condition:
        raise Unsuitable(why)


def worst(actual, expected):
    """The largest |Δ| / (1 + |x|)."""
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    return ((actual - expected).abs() / (1 + expected.abs())).max().item()


def greedy(config, state, ids, count):
    """The ids that follow, one whole forward pass each; refuses a choice that is nearly a tie."""
    ids, chosen = list(ids), []
    for _ in range(count):
        model = capture.assemble(config, state, torch.float64)
        with torch.no_grad():
            logits = capture.run(model, ids, torch.float64, lambda *_: None)[0, -1]
        best, second = logits.topk(2).values.tolist()
        suits(best - second > 1e-3, "a greedy choice is nearly a tie")
        chosen.append(int(logits.argmax()))
        ids.append(chosen[-1])
    return chosen


def shown(family, found, ids):
    """What a mistake must change: a decoder's last logits, an encoder's all, or its last state."""
    if "logits" not in found:
        return found[capture.last_residual(found)][0]
    return found["logits"][0, -1] if getattr(family, "CAUSAL", True) else found["logits"][0]


def mistaken(config, state, ids, mistake):
    """Every site of the model with one mistake, in float64."""
    config, state = copy.deepcopy(config), dict(state)
    if mistake.config is not None:
        mistake.config(config)
    if mistake.state is not None:
        mistake.state(state)
    model = capture.assemble(config, state, torch.float64, strict=False)
    if mistake.model is not None:
        mistake.model(model)
    around = mistake.around(model) if mistake.around is not None else contextlib.nullcontext()
    found = {}
    with around, torch.no_grad():
        capture.run(model, ids, torch.float64, found.__setitem__, change_inputs=mistake.inputs)
    return found


def objective(family, ids, width):
    """What the gradients are of: a logit, or for a model without head a sum over its last state."""
    if width is None:
        position = getattr(family, "position", lambda ids: len(ids) - 1)(ids)
        return {"gradient_of": (position, 7)}
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(len(ids), width, generator=generator, dtype=torch.float64)
    return {"gradient_weights": weights}


def reference(config, state):
    """Every stored value of one fixture, in float64; and how far off float32 is."""
    family = families.family(config["model_type"])
    sequences = getattr(family, "SEQUENCES", fixtures.SEQUENCES)
    causal = getattr(family, "CAUSAL", True)
    stored, noise = {}, 0.0
    for number, ids in enumerate(sequences):
        build = lambda dtype: capture.assemble(config, state, dtype)
        model = build(torch.float64)
        headed = model.get_output_embeddings() is not None
        width = None if headed else model.config.hidden_size
        goal = objective(family, ids, width) if number == 0 else {}
        found = capture.sites(model, ids, torch.float64, **goal)
        single = capture.sites(build(torch.float32), ids, torch.float32, **goal)
        assert found.keys() == single.keys()
        noise = max(noise, *(worst(single[n].double(), found[n]) for n in found))
        if plain.covers(config):
            own = plain.run(config, state, ids, torch.float64)
            assert set(own) == {site for site in found if not site.startswith("gradient.")}
            for site, value in own.items():
                assert worst(found[site][0], value) < 1e-12, (site, worst(found[site][0], value))
        stored[f"{number}.ids"] = torch.tensor(ids)
        for key, value in capture.inputs(family, ids).items():
            if key != "input_ids":
                stored[f"{number}.{key}"] = value[0]
        if "gradient_of" in goal:
            stored[f"{number}.gradient.of"] = torch.tensor(goal["gradient_of"])
        elif "gradient_weights" in goal:
            stored[f"{number}.gradient.weights"] = goal["gradient_weights"]
        if causal and getattr(family, "GREEDY", True):
            chosen = greedy(config, state, ids, CONTINUATION)
            stored[f"{number}.greedy"] = torch.tensor(chosen)
        for site, value in found.items():
            # The second sequence is there for another length: its sites follow from these.
            if number == 0 or site in ("embedding", "logits") or site.endswith(".after"):
                stored[f"{number}.{site}"] = value
        if number == 0:
            right = found
    suits(noise < CONDITION, f"float32 is off by {noise}")
    check_sums(family, right)
    check_range(family, right, sequences[0])
    for wrong, mistake in family.mistakes(config).items():
        found = mistaken(config, state, sequences[0], mistake)
        value = shown(family, found, sequences[0])
        apart = worst(value, shown(family, right, sequences[0]))
        suits(apart > 100 * TOLERANCE, f"'{wrong}' shows by {apart:.1e} only")
        if plain.covers(config):
            own = plain.run(config, state, sequences[0], torch.float64, wrong)["logits"][-1]
            assert worst(value, own) < 1e-12, (wrong, worst(value, own))
        stored[f"wrong.{wrong}"] = value.contiguous()
    return stored, noise


def check_sums(family, found):
    """The sites are what their names say: the sums that tie them to one another hold."""

    def equal(first, second, what):
        assert worst(first, second) < 1e-12, f"{what}: off by {worst(first, second)}"

    at = found.get
    for layer in range(int(capture.last_residual(found).split(".")[1]) + 1):
        residual = lambda moment: at(f"residual.{layer}.{moment}")
        attention = lambda part: at(f"attention.{layer}.{part}")
        network = lambda part: at(f"feedForward.{layer}.{part}")
        earlier = "embedding" if layer == 0 else f"residual.{layer - 1}.after"
        equal(residual("before"), found[earlier], f"residual.{layer}.before")
        if attention("pattern") is not None:
            pattern, value = attention("pattern"), attention("value")
            equal(pattern.sum(-1), torch.ones_like(pattern.sum(-1)), "a row of the pattern")
            groups = pattern.shape[1] // value.shape[1]
            mixed = pattern @ value.repeat_interleave(groups, 1)
            equal(mixed.transpose(1, 2), attention("heads"), f"attention.{layer}.heads")
        if network("experts") is not None:
            equal(network("experts").sum(2), network("output"), f"feedForward.{layer}.experts")
        if attention("output") is None or getattr(family, "POST_NORM", False):
            continue
        after_attention = residual("before") + attention("output")
        if residual("middle") is not None:
            equal(residual("middle"), after_attention, f"residual.{layer}.middle")
        equal(residual("after"), after_attention + network("output"), f"residual.{layer}.after")


def check_range(family, right, ids):
    """Neither a flat softmax nor a one-hot one tests attention or the readout."""
    position = getattr(family, "position", lambda ids: len(ids) - 1)(ids)
    for name, value in right.items():
        if name.endswith(".pattern"):
            entropy = torch.special.entr(value[0, :, -1]).sum(-1).mean().item()
            suits(0.1 < entropy < 0.95 * math.log(len(ids)), f"{name} has entropy {entropy:.2f}")
    if "logits" in right:
        best = right["logits"][0, position].softmax(-1).max().item()
        suits(0.03 < best < 0.99, f"the prediction has probability {best:.2f}")


def make(root, versions, names=()):
    """Writes the fixtures of these names, or every one, below `root`, each from its own seed."""
    total = 0
    for name in names or fixtures.FIXTURES:
        config, first, layout = fixtures.FIXTURES[name]
        folder = root / name
        for pattern in ("config.json", "model*", "reference*"):
            for old in folder.glob(pattern):
                old.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        reasons = []
        for seed in range(first, first + SEEDS):
            state = weights(folder, config, seed, layout)
            try:
                stored, noise = reference(config, state)
                break
            except Unsuitable as reason:
                reasons.append(str(reason))
        else:
            raise AssertionError(f"{name}: no seed suits; {reasons[-10:]}")
        check_files(folder, config, state, stored)
        # One key only: the file format does not keep the order of several.
        made = {"made": ", ".join(f"{k} {v}" for k, v in {**versions, "seed": seed}.items())}
        save_file(stored, folder / "reference.safetensors", made)
        for file in folder.iterdir():
            file.chmod(0o644)
        size = sum(
            file.stat().st_size
            for pattern in ("config.json", "model*", "reference.safetensors")
            for file in folder.glob(pattern)
        )
        total += size
        wrong = ", ".join(families.family(config["model_type"]).mistakes(config))
        print(f"{name}: {size / 1e3:.0f} kB, seed {seed}, float32 {noise:.1e}, wrong: {wrong}")
    print(f"models: {total / 1e6:.2f} MB")


def check_files(folder, config, state, stored):
    """transformers itself reads these weights from the files and gives these values."""
    model = type(capture.empty(config)).from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    )
    if model._can_set_experts_implementation():
        model.set_experts_implementation("eager")  # the grouped one wants wider experts
    read = model.eval().state_dict()
    assert read.keys() == state.keys(), read.keys() ^ state.keys()
    for name, value in state.items():
        assert torch.equal(read[name], value), f"{folder.name}: {name} is read as something else"
    family = capture.of(model)
    # What transformers loses, a family's `recording` puts back.
    recording = getattr(family, "recording", lambda model, record: contextlib.nullcontext())
    with torch.no_grad(), recording(model, lambda site, value: None):
        output = model(**capture.inputs(family, stored["0.ids"].tolist()))
    sites = {name.removeprefix("0."): name for name in stored if name.startswith("0.")}
    if "logits" in sites:
        gap = worst(output.logits.double(), stored["0.logits"])
    else:
        last = "finalNorm" if "finalNorm" in sites else capture.last_residual(sites)
        gap = worst(output.last_hidden_state.double(), stored[sites[last]])
    assert gap < TOLERANCE, f"{folder.name}: what float32 puts out is off by {gap}"


def weights(folder, config, seed, layout):
    """Draws and writes the weights of one fixture and returns them as a reader sees them."""
    model = capture.empty(config)
    state = fixtures.draw(model, seed)
    return fixtures.store(folder, config, state, layout, fixtures.tied(model))
