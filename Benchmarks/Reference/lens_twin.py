#!/usr/bin/env python3
"""The logit lens in PyTorch, as one would write it: a loop over layers.

    .venv/bin/python Benchmarks/Reference/lens_twin.py --model MODEL.gguf --threads 2

It reads one JSON object a line and answers each with one line, as iglens_twin.py does.

    {"task": "lens", "ids": [...], "top": 10}
        One forward pass; then the state after each block through final norm and head. At each
        position: the most probable tokens and their probabilities; of the next token (of the last
        position: the model's own choice) logit, probability and rank; entropy; KL from the model's
        distribution to the lens's. "token": one token for every position instead of the next.
        -> top_ids, top_probabilities [block][position][k]; logit, probability, rank, entropy, kl
        [block][position]; with "summary": true only the sums of each of these over all cells.
    {"task": "forward", "ids": [...]}     the forward pass alone, with logits at every position
    {"task": "memory"}                    resident and peak memory of this process, in bytes

Any request may say "repeat": n and "warmup": m; the answer then has every time and the median.
"""

import protocol  # first: it sets what transformers reads when it is imported
import torch


@torch.no_grad()
def states_and_logits(model, ids):
    """The states [position, width] after each block, and the model's own logits."""
    states = []
    hooks = [
        layer.register_forward_hook(lambda _, __, output: states.append(output[0]))
        for layer in model.model.layers
    ]
    try:
        logits = model(torch.tensor([ids]), use_cache=False).logits[0]
    finally:
        for hook in hooks:
            hook.remove()
    return states, logits


@torch.no_grad()
def lens(model, request):
    ids = request["ids"]
    states, logits = states_and_logits(model, ids)
    if "token" in request:
        targets = torch.full((len(ids), 1), request["token"])
    else:
        targets = torch.tensor([*ids[1:], int(logits[-1].argmax())])[:, None]
    final = logits.log_softmax(-1)
    model_p = final.exp()
    found = []
    for state in states:
        logits = model.lm_head(model.model.norm(state))
        logp = logits.log_softmax(-1)
        p = logp.exp()
        top = p.topk(request.get("top", 10))
        target = logits.gather(-1, targets)
        found.append(
            {
                "top_ids": top.indices,
                "top_probabilities": top.values,
                "logit": target[:, 0],
                "probability": p.gather(-1, targets)[:, 0],
                "rank": (logits > target).sum(-1, dtype=torch.int32) + 1,
                "entropy": -(p * logp).sum(-1),
                "kl": (model_p * (final - logp)).sum(-1),
            }
        )
    rows = {key: torch.stack([layer[key] for layer in found]) for key in found[0]}
    if request.get("summary"):
        return {key: value.double().sum().item() for key, value in rows.items()}
    return {key: value.tolist() for key, value in rows.items()}


@torch.no_grad()
def forward(model, request):
    logits = model(torch.tensor([request["ids"]]), use_cache=False).logits
    return {"shape": list(logits.shape), "last_argmax": int(logits[0, -1].argmax())}


if __name__ == "__main__":
    protocol.serve(__doc__.splitlines()[0], {"lens": lens, "forward": forward})
