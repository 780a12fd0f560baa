"""Writes Tests/Fixtures/readout/readout.json: readouts of two states and gradients between them."""

import json

import torch

from . import iglens

VOCABULARY, WIDTH = 97, 16
NODES = 64
TIMES = [0.0, 0.25, 0.5, 0.9, 1.0]

ABOUT = [
    "Readouts from a final norm to the logits, by autograd in float64.",
    "unembedding is [vocabulary, width], row by row; constant is added to the logits; scale and",
    "shift belong to the final norm; epsilon is inside its square root; start and end are the ends",
    "of the segment; model is the distribution p_model of target kl.",
    "readouts[]: norm (rms, layer), with_shift, with_constant, cap (null: none). Of each target:",
    "start and end values, gradients[k] at start + times[k] (end - start), path_gradient = mean",
    "gradient over the segment (Gauss-Legendre, 64 nodes in t); <path_gradient, end - start> is",
    "end - start of the values to 1e-10.",
]


def make(root, versions):
    root.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(31)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    # The inputs are numbers of few digits, so that a reader in any precision starts from the same.
    short = lambda tensor: (tensor * 4096).round() / 4096
    unembedding, constant = short(0.7 * draw(VOCABULARY, WIDTH)), short(0.5 * draw(VOCABULARY))
    scale, shift = short(1.1 + 0.3 * draw(WIDTH)), short(0.4 * draw(WIDTH))
    start, end = short(1.5 * draw(WIDTH) + 0.3), short(2.5 * draw(WIDTH) - 0.2)
    model = short(draw(VOCABULARY)).softmax(-1)
    question = iglens.Question(token=42, versus=7, model=model)
    document = {
        "about": ABOUT,
        "made": versions | {"seed": 31},
        "vocabulary": VOCABULARY,
        "width": WIDTH,
        "epsilon": 1e-5,
        "token": question.token,
        "versus": question.versus,
        "times": TIMES,
        "unembedding": unembedding.flatten().tolist(),
        "constant": constant.tolist(),
        "scale": scale.tolist(),
        "shift": shift.tolist(),
        "start": start.tolist(),
        "end": end.tolist(),
        "model": model.tolist(),
        "readouts": [],
    }
    for layer_norm, with_shift, with_constant, cap in [
        (False, False, False, None),
        (False, False, True, 5.0),
        (True, True, False, None),
        (True, True, True, None),
        (True, True, True, 5.0),
    ]:
        head = iglens.Head(
            scale,
            shift if with_shift else None,
            document["epsilon"],
            unembedding,
            constant if with_constant else None,
            cap,
            layer_norm,
        )
        readout = {
            "norm": "layer" if layer_norm else "rms",
            "with_shift": with_shift,
            "with_constant": with_constant,
            "cap": cap,
            "targets": {},
        }
        for target in iglens.TARGETS:

            def gradient(t):
                state = (start + t * (end - start)).requires_grad_(True)
                return torch.autograd.grad(question.value(target, head.logits(state)), state)[0]

            values = [question.value(target, head.logits(h)).item() for h in (start, end)]
            path = sum(weight * gradient(t) for t, weight in iglens.gauss(NODES))
            gap = (path @ (end - start)).item() - (values[1] - values[0])
            assert abs(gap) < 1e-10 * (1 + abs(values[1] - values[0])), (readout, target, gap)
            readout["targets"][target] = {
                "start": values[0],
                "end": values[1],
                "gradients": [gradient(t).tolist() for t in TIMES],
                "path_gradient": path.tolist(),
            }
        document["readouts"].append(readout)
    file = root / "readout.json"
    file.write_text(json.dumps(document, separators=(",", ":")) + "\n")
    print(f"readout.json: {file.stat().st_size / 1e3:.0f} kB")
