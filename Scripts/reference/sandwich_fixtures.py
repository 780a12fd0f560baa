"""Writes Tests/Fixtures/tree/sandwich.json: the tree where each branch ends in a norm of its own.

The blocks are those of the fixture llama-biases with a norm put after attention and after the MLP
by hooks, and in one variant a soft cap on the logits:

    m = x + N_1(attention(norm(x))),     x' = m + N_2(mlp(norm(m)))
"""

import json

import torch

from . import capture, fixtures, iglens, iglens_fixtures, lenses, tree, tree_fixtures

BASE, SEED, POSITION = "llama-biases", 53, 8

ABOUT = [
    "The model of ../models/llama-biases with one more norm after attention and one after the MLP",
    "of each block, before the residual sum, in float64. variants[]: norm (rms, layer: with a",
    "shift), epsilon, cap (of the logits: cap tanh(l / cap); null: none), blocks[]: attention_scale,",
    "attention_shift, mlp_scale, mlp_shift (null: none). states[l]: the last position's state after",
    "block l; baseline: mean of the state after block 0 over all positions; logits of the last",
    "position. targets[target].segments as in <model>/tree.json: branches after their norms, pieces",
    "through the norm as a linear map at the branch's own scale, the shift with the bias. direct:",
    "as in <model>/direct.json, of the logit before the cap. scale_of_its_own: heads and neurons of",
    "block 0, target prob, each normed by its own scale: wrong, and it shows.",
]


def run(model, ids, norms, cap):
    """Every site with the norms (and the cap) in place; branch outputs are after their norms."""
    hooks = []
    for block, (attention, mlp) in zip(model.model.layers, norms):
        hooks.append(
            block.self_attn.register_forward_hook(
                lambda _, __, output, norm=attention: (norm(output[0]), *output[1:])
            )
        )
        hooks.append(block.mlp.register_forward_hook(lambda _, __, out, norm=mlp: norm(out)))
    if cap is not None:
        hooks.append(
            model.lm_head.register_forward_hook(lambda _, __, out: cap * torch.tanh(out / cap))
        )
    try:
        found = capture.sites(model, ids, torch.float64)
    finally:
        for hook in hooks:
            hook.remove()
    for index in range(len(norms)):
        after, middle = (found[f"residual.{index}.{moment}"] for moment in ("after", "middle"))
        found[f"feedForward.{index}.output"] = after - middle
        gap = middle - found[f"residual.{index}.before"] - found[f"attention.{index}.output"]
        assert gap.abs().max() < 1e-12, "attention's norm is not in place"
    return found


def variant(root, layer_norm, cap):
    config, seed, _ = fixtures.FIXTURES[BASE]
    state = tree_fixtures.stored(root / "models" / BASE, config, seed)
    model = capture.build(root / "models" / BASE, state, torch.float64)
    generator = torch.Generator().manual_seed(SEED)
    short = lambda tensor: (tensor * 4096).round() / 4096
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    width, blocks, epsilon = config["hidden_size"], config["num_hidden_layers"], 1e-3

    def norm():
        shift = short(0.3 * draw(width)) if layer_norm else None
        return tree.BranchNorm(short(1.3 + 0.4 * draw(width)), shift, epsilon, layer_norm)

    norms = [(norm(), norm()) for _ in range(blocks)]
    ids = fixtures.SEQUENCES[0]
    found = run(model, ids, norms, cap)
    head = iglens_fixtures.head_of(config, state)
    head.cap = cap
    states = iglens_fixtures.states_of(found, blocks)
    logits, whole = found["logits"][0, POSITION], list(range(blocks))
    assert (head.logits(states[-1][POSITION]) - logits).abs().max() < 1e-12
    token = int(logits.argmax())
    question = iglens.Question(token, iglens_fixtures.VERSUS, logits.softmax(-1))
    pieces = [tree.block(state, found, l, POSITION, norms=norms[l]) for l in whole]
    start = iglens.baseline("mean", states, POSITION, 0, None)
    path = tree.points(states, POSITION, whole, start)
    embedding, targets = states[0][POSITION], {}
    for target in iglens.TARGETS:
        depth = "token" if target == "prob" else "head"
        function = lambda h: question.value(target, head.logits(h))
        targets[target] = tree.chain(function, path, whole, pieces, embedding, depth)
    uncapped = iglens_fixtures.head_of(config, state)
    direction = lenses.directions(len(logits), token, question.versus)["token"]
    listed = lambda value: None if value is None else value.tolist()
    return {
        "norm": "layer" if layer_norm else "rms",
        "epsilon": epsilon,
        "cap": cap,
        "blocks": [
            {
                f"{name}_{key}": listed(getattr(norm, key))
                for name, norm in zip(("attention", "mlp"), pair)
                for key in ("scale", "shift")
            }
            for pair in norms
        ],
        "token": token,
        "versus": question.versus,
        "states": [found[f"residual.{l}.after"][0, POSITION].tolist() for l in whole],
        "baseline": start.tolist(),
        "logits": logits.tolist(),
        "targets": targets,
        "direct": lenses.direct(
            uncapped, states[-1][POSITION], embedding, pieces, direction
        ),
        "scale_of_its_own": wrong(state, found, norms[0], targets["prob"]["segments"][0]),
    }  # fmt: skip


def wrong(state, found, norms, segment):
    """Heads and neurons of block 0 as they are not: each normed on its own."""
    made = tree.block(state, found, 0, POSITION, wrong="norms")
    gradient = torch.tensor(segment["path_gradient"], dtype=torch.float64)
    right, result = segment["blocks"][0], {}
    for name, norm in zip(("heads", "neurons"), norms):
        alone = torch.stack([norm.linear(piece)(piece) for piece in getattr(made, name)])
        result[name] = (alone @ gradient).tolist()
        apart = max(abs(a - b) for a, b in zip(result[name], right[name]))
        assert apart > 100 * tree.RIGHT, (name, apart)
    return result


def make(root, versions):
    document = {
        "about": ABOUT,
        "made": versions | {"seed": SEED},
        "model": BASE,
        "ids": fixtures.SEQUENCES[0],
        "position": POSITION,
        "layers": list(range(fixtures.FIXTURES[BASE][0]["num_hidden_layers"])),
        "variants": [variant(root, False, None), variant(root, True, 6.0)],
    }
    file = root / "tree" / "sandwich.json"
    file.write_text(json.dumps(document, separators=(",", ":")) + "\n")
    print(f"sandwich.json: {file.stat().st_size / 1e3:.0f} kB")
