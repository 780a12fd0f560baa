"""Writes Tests/Fixtures/tree/readout-paths.json: mean gradients on segments that are hard.

../readout/readout.json has one ordinary segment. Here the ends are parallel, nearly equal, equal,
nearly opposite, of very different length, or zero: where a closed form divides by sin φ, or by a ρ
that gets small, a mistake shows on these and not on that one.
"""

import json

import torch

from . import iglens, tree

VOCABULARY, WIDTH, SEED = 37, 12, 47
NODES = 1024

ABOUT = [
    "Mean gradients over segments between awkward ends, by autograd in float64 at Gauss-Legendre",
    "nodes in t: 128 on each panel of a segment that is halved until no entry moves; 1,024 nodes on",
    "the whole segment agree to 1e-8. unembedding [vocabulary, width] row by row; constant is added to",
    "the logits; scale and shift belong to the final norm; epsilon is inside its square root; model",
    "is the distribution p_model of target kl. ends[name]: start and end of a segment.",
    "readouts[]: norm (rms, layer), with_shift, with_constant, cap (null: none), and",
    "segments[name][target]: start and end values, path_gradient; <path_gradient, end - start> is",
    "the values' difference to 1e-10.",
    "A gradient at the middle of the segment, one with rho held constant, one with the soft cap's",
    "slope forgotten and one with the mean held constant each differ by more than 1e-6 from the",
    "right one on segment ordinary, for every target that they can touch.",
]


def ends(draw, short):
    """Segments by name; each is there for one way of going wrong."""
    a, other = short(1.4 * draw(WIDTH) + 0.2), short(1.2 * draw(WIDTH) - 0.1)
    return {
        "ordinary": (a, other),
        "longer": (a, short(150 * other)),
        "parallel": (a, 2.5 * a),
        "near": (a, a + short(0.01 * draw(WIDTH))),
        "equal": (a, a.clone()),
        "opposite": (a, -0.75 * a + short(0.4 * draw(WIDTH))),
        "zero": (torch.zeros_like(a), other),
        "to-zero": (a, torch.zeros_like(a)),
    }


def careless(head, mistake):
    """The readout's logits with one part of the derivative forgotten; the values are right."""

    def logits(state):
        if head.layer_norm:
            mean = state.mean(-1, keepdim=True)
            state = state - (mean.detach() if mistake == "centring" else mean)
        rho = (state.pow(2).mean(-1, keepdim=True) + head.epsilon).sqrt()
        state = state / (rho.detach() if mistake == "frozen" else rho) * head.scale
        if head.shift is not None:
            state = state + head.shift
        result = state @ head.unembedding.T
        if head.constant is not None:
            result = result + head.constant
        if head.cap is None:
            return result
        capped = head.cap * torch.tanh(result / head.cap)
        return result + (capped - result).detach() if mistake == "cap" else capped

    return logits


def touched(mistake, head):
    return {"centring": head.layer_norm, "cap": head.cap is not None}.get(mistake, True)


def make(root, versions):
    root.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(SEED)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    short = lambda tensor: (tensor * 4096).round() / 4096
    unembedding, constant = short(0.8 * draw(VOCABULARY, WIDTH)), short(0.5 * draw(VOCABULARY))
    scale, shift = short(1.1 + 0.3 * draw(WIDTH)), short(0.4 * draw(WIDTH))
    model, segments = short(draw(VOCABULARY)).softmax(-1), ends(draw, short)
    question = iglens.Question(token=23, versus=5, model=model)
    document = {
        "about": ABOUT,
        "made": versions | {"seed": SEED},
        "vocabulary": VOCABULARY,
        "width": WIDTH,
        "epsilon": 1e-5,
        "token": question.token,
        "versus": question.versus,
        "unembedding": unembedding.flatten().tolist(),
        "constant": constant.tolist(),
        "scale": scale.tolist(),
        "shift": shift.tolist(),
        "model": model.tolist(),
        "ends": {name: [a.tolist(), b.tolist()] for name, (a, b) in segments.items()},
        "readouts": [],
    }
    for layer_norm, with_shift, with_constant, cap in [
        (False, False, False, None),
        (False, False, True, 4.0),
        (True, True, False, None),
        (True, True, True, 4.0),
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
            "segments": {},
        }
        for name, (start, end) in segments.items():
            readout["segments"][name] = rows = {}
            for target in iglens.TARGETS:
                function = lambda h: question.value(target, head.logits(h))
                path = tree.mean_gradient(function, start, end)
                values = [function(h).item() for h in (start, end)]
                where = (readout["norm"], cap, name, target)
                gap = (path @ (end - start)).item() - (values[1] - values[0])
                assert abs(gap) < 1e-10 * (1 + abs(values[1] - values[0])), (where, gap)
                once = tree.quadrature(function, start, end, NODES)
                apart = (once - path).abs().max().item()
                assert apart < 1e-8 * (1 + path.abs().max().item()), (where, apart)
                rows[target] = {
                    "start": values[0], "end": values[1], "path_gradient": path.tolist()
                }  # fmt: skip
                if name == "ordinary":
                    show(head, question, target, start, end, path, where)
        document["readouts"].append(readout)
    file = root / "readout-paths.json"
    file.write_text(json.dumps(document, separators=(",", ":")) + "\n")
    print(f"readout-paths.json: {file.stat().st_size / 1e3:.0f} kB")


def show(head, question, target, start, end, path, where):
    """Each mistake must be visible on the ordinary segment."""
    middle = start + 0.5 * (end - start)
    wrong = {"middle": tree.quadrature(
        lambda h: question.value(target, head.logits(h)), middle, middle, 1
    )}  # fmt: skip
    for mistake in ("frozen", "cap", "centring"):
        if touched(mistake, head):
            logits = careless(head, mistake)
            read = lambda h: question.value(target, logits(h))
            wrong[mistake] = tree.quadrature(read, start, end, 256)
    for mistake, gradient in wrong.items():
        apart = (gradient - path).abs().max().item()
        assert apart > 100 * tree.RIGHT, (where, mistake, apart)
