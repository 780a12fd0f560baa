"""The logit lens and direct logit attribution from their definitions, in plain loops, float64."""

import torch

from . import tree

TOP = 5
MOMENTS = ["before", "middle", "after"]


def cell(head, state, token, final):
    """What the lens reads from one state; `final` is the model's own distribution there."""
    logits = head.logits(state)
    p = logits.softmax(-1)
    best = p.topk(TOP)
    assert (best.values[:-1] - best.values[1:]).min() > 1e-9, "two tokens nearly tie"
    return {
        "top": best.indices.tolist(),
        "probabilities": best.values.tolist(),
        "logit": logits[token].item(),
        "probability": p[token].item(),
        "rank": 1 + int((logits > logits[token]).sum()),
        "entropy": -(p * p.log()).sum().item(),
        "kl_final_lens": (final * (final.log() - p.log())).sum().item(),
        "kl_lens_final": (p * (p.log() - final.log())).sum().item(),
    }


def grid(head, found, blocks, token):
    """moment → layer → one list over positions for each quantity."""
    model = found["logits"][0].softmax(-1)
    result = {}
    for moment in MOMENTS:
        result[moment] = []
        for layer in range(blocks):
            states = found[f"residual.{layer}.{moment}"][0]
            cells = [cell(head, h, token, final) for h, final in zip(states, model)]
            result[moment].append({key: [c[key] for c in cells] for key in cells[0]})
    for row in result["after"][-1]["kl_final_lens"]:  # the last state is the model's own output
        assert abs(row) < 1e-12
    return result


def direct(head, state, embedding, pieces, direction, wrong=None):
    """Each part's share of direction · logits, the final norm's scale as observed at `state`.

    direction [vocabulary] weighs the logits: one token, one minus another, one minus the mean.
    wrong: scale (of each part on its own), centring (left out), norm_weight (left out).
    """
    centre = lambda x: x - x.mean() if head.layer_norm and wrong != "centring" else x
    observed = state - state.mean() if head.layer_norm else state
    scale = (observed.pow(2).mean() + head.epsilon).sqrt()

    def share(part):
        part = centre(part)
        own = (part.pow(2).mean() + head.epsilon).sqrt() if wrong == "scale" else scale
        weight = 1 if wrong == "norm_weight" else head.scale
        return (direction @ (head.unembedding @ (weight * part / own))).item()

    result = {"embedding": share(embedding), "blocks": []}
    if head.shift is not None:
        result["norm_bias"] = (direction @ (head.unembedding @ head.shift)).item()
    for piece in pieces:
        row = {
            "layer": piece.layer,
            "attention": share(piece.attention),
            "mlp": share(piece.mlp),
            "heads": [share(part) for part in piece.heads],
            "neurons": [share(part) for part in piece.neurons],
        }
        for key in ("attention_bias", "mlp_bias"):
            if getattr(piece, key) is not None:
                row[key] = share(getattr(piece, key))
        result["blocks"].append(row)
    result["total"] = (direction @ head.logits(state)).item()
    if wrong is None:
        for row in result["blocks"]:
            tree.close(row["attention"], sum(row["heads"]) + row.get("attention_bias", 0.0))
            tree.close(row["mlp"], sum(row["neurons"]) + row.get("mlp_bias", 0.0))
        tree.close(result["total"], whole(result))
    return result


def whole(result):
    parts = sum(row["attention"] + row["mlp"] for row in result["blocks"])
    return parts + result["embedding"] + result.get("norm_bias", 0.0)


def directions(vocabulary, token, versus):
    """The three questions: a token, a token less the vocabulary's mean, one less another."""
    one = lambda index: torch.nn.functional.one_hot(torch.tensor(index), vocabulary).double()
    return {
        "token": one(token),
        "token_centred": one(token) - 1 / vocabulary,
        "difference": one(token) - one(versus),
    }
