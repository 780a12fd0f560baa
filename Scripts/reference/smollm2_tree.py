"""Writes Tests/Fixtures/tree/smollm2.json: the tree, its check and the lenses on the real model."""

import hashlib
import itertools
import json
import math

import torch

import common

from . import ablation, capture, iglens, lenses, smollm2_fixtures, tree

TEXT = " Paris"
VERSUS = " London"
OPEN = [28, 29]  # blocks opened to source tokens and neurons
LARGEST = 12  # neurons named in each of them
TEN = [2, 5, 8, 11, 14, 17, 20, 23, 26, 29]  # layers whose Shapley values are exact

ABOUT = [
    "SmolLM2-135M-Instruct Q4_1 dequantised to float32, run by transformers in float64, at the",
    "last token of 'The capital of France is' (ids); token is ' Paris', versus ' London'. Layers",
    "count from 0. chain: target prob over all blocks, baseline mean; as in <model>/tree.json, to",
    "heads, and in the blocks listed in open: sources[h][s], the largest neurons ([index, score],",
    "by size) and the sum of all neurons. straight: the same line for all layers, attention and",
    "MLP. shapley: layers; values over all orders (from all 1,024 coalitions), prob, baseline",
    "mean. ablations: each block's update, its attention, its MLP at the last position by zero",
    "and by the mean over positions, heads of the last block by zero: actual and predicted change",
    "of prob. agreement[kind][by]: Spearman's rank correlation of actual and predicted over",
    "blocks, and the share of blocks where their signs agree. direct: shares of the logit of",
    "token (as in <model>/direct.json) and of token - versus, to heads. lens[moment]: one entry",
    "per block of the quantities of <model>/lens.json at the last position.",
]


def orders(function, start, updates):
    """Shapley values from the worth of every coalition."""
    players = range(len(updates))
    members = list(itertools.product([0.0, 1.0], repeat=len(updates)))
    states = start + torch.tensor(members, dtype=start.dtype) @ torch.stack(updates)
    with torch.no_grad():
        worth = dict(zip(members, torch.cat([function(s) for s in states.split(64)]).tolist()))
    values = []
    for j in players:
        steps = []
        for coalition, before in worth.items():
            if coalition[j] == 0:
                size = int(sum(coalition))
                after = worth[coalition[:j] + (1.0,) + coalition[j + 1 :]]
                weight = math.factorial(size) * math.factorial(len(updates) - size - 1)
                steps.append((after - before) * weight / math.factorial(len(updates)))
        values.append(math.fsum(steps))
    tree.close(math.fsum(values), worth[members[-1]] - worth[members[0]])
    return values


def spearman(one, other):
    """Rank correlation of values without ties."""
    assert len(set(one)) == len(one) and len(set(other)) == len(other)
    rank = lambda values: torch.tensor(values).argsort().argsort().double()
    return torch.corrcoef(torch.stack([rank(one), rank(other)]))[0, 1].item()


def ablations(model, found, ids, token, gradients):
    """Every block's parts replaced at the last position, one whole pass each."""
    position = len(ids) - 1
    run = lambda edit: ablation.run(model, ids, edit)[position].softmax(-1)[token].item()
    before, rows = run(None), []
    blocks, heads = len(model.model.layers), model.config.num_attention_heads
    for kind in ("layer", "attention", "mlp"):
        for layer in range(blocks):
            values = ablation.values(found, kind, layer, None, heads)
            for by, new in (("zero", 0 * values[position]), ("mean", values.mean(0))):
                actual = before - run((kind, layer, None, [position], new[None]))
                predicted = (gradients[layer] @ (values[position] - new)).item()
                rows.append(
                    {"kind": kind, "layer": layer, "by": by}
                    | {"actual": actual, "predicted": predicted}
                )
    last = blocks - 1
    output = model.model.layers[last].self_attn.o_proj.weight
    width = output.shape[1] // heads
    for head in range(heads):
        columns = list(range(head * width, (head + 1) * width))
        values = ablation.values(found, "context", last, columns, heads)[position]
        actual = before - run(("context", last, columns, [position], 0.0))
        predicted = (gradients[last] @ (output[:, columns] @ values)).item()
        rows.append(
            {"kind": "head", "layer": last, "head": head, "by": "zero"}
            | {"actual": actual, "predicted": predicted}
        )
    agreement = {}
    for kind in ("layer", "attention", "mlp"):
        agreement[kind] = {}
        for by in ("zero", "mean"):
            own = [row for row in rows if (row["kind"], row["by"]) == (kind, by)]
            actual, predicted = ([row[key] for row in own] for key in ("actual", "predicted"))
            signs = sum((a > 0) == (p > 0) for a, p in zip(actual, predicted)) / len(own)
            agreement[kind][by] = {"spearman": spearman(actual, predicted), "signs": signs}
    return rows, agreement


def make(root, gguf_file, versions):
    tokenizer = common.tokenizer(gguf_file)
    model = smollm2_fixtures.with_dtype(common.load(gguf_file), torch.float64)
    state = model.state_dict()
    ids = tokenizer.encode(smollm2_fixtures.FRANCE).ids
    (token,), (versus,) = (tokenizer.encode(text).ids for text in (TEXT, VERSUS))
    position = len(ids) - 1
    found = capture.sites(model, ids, torch.float64)
    head = smollm2_fixtures.head_of(model, torch.float64)
    whole = list(range(model.config.num_hidden_layers))
    states = [found["embedding"][0]] + [found[f"residual.{l}.after"][0] for l in whole]
    embedding = states[0][position]
    pieces = [tree.block(state, found, layer, position) for layer in whole]
    function = lambda h: head.logits(h).softmax(-1)[..., token]
    start = iglens.baseline("mean", states, position, 0, None)
    path = tree.points(states, position, whole, start)

    chain = tree.chain(function, path, whole, pieces, embedding, "head")
    gradients = [
        torch.tensor(row.pop("path_gradient"), dtype=torch.float64) for row in chain["segments"]
    ]
    for layer in OPEN:
        opened = tree.scores(gradients[layer], pieces[layer], "token")
        best = sorted(enumerate(opened["neurons"]), key=lambda pair: -abs(pair[1]))[:LARGEST]
        chain["segments"][layer]["blocks"][0] |= {
            "sources": opened["sources"],
            "largest_neurons": [[index, value] for index, value in best],
            "neurons_sum": math.fsum(opened["neurons"]),
        }
    straight = tree.straight(function, path, whole, pieces, embedding, "head")
    del straight["path_gradient"]
    for row in straight["segments"]:
        for block in row["blocks"]:
            del block["heads"]
    ten = tree.points(states, position, TEN, iglens.baseline("mean", states, position, 2, None))
    rows, agreement = ablations(model, found, ids, token, gradients)
    direct = {}
    questions = lenses.directions(model.config.vocab_size, token, versus)
    for name in ("token", "difference"):
        direct[name] = lenses.direct(
            head, states[-1][position], embedding, pieces, questions[name], neurons=False
        )
    final = found["logits"][0, position].softmax(-1)
    lens = {}
    for moment in lenses.MOMENTS:
        cells = [
            lenses.cell(head, found[f"residual.{layer}.{moment}"][0, position], token, final)
            for layer in whole
        ]
        lens[moment] = {key: [cell[key] for cell in cells] for key in cells[0]}
    document = {
        "about": ABOUT,
        "made": versions,
        "model_sha256": hashlib.sha256(gguf_file.read_bytes()).hexdigest(),
        "ids": ids,
        "position": position,
        "token": token,
        "versus": versus,
        "open": OPEN,
        "chain": chain,
        "straight": straight,
        "shapley": {
            "layers": TEN,
            "baseline_value": function(ten[0]).item(),
            "values": orders(function, ten[0], [b - a for a, b in zip(ten, ten[1:])]),
        },
        "ablations": rows,
        "agreement": agreement,
        "direct": direct,
        "lens": lens,
    }
    file = root / "smollm2.json"
    file.write_text(json.dumps(document, separators=(",", ":")) + "\n")
    print(f"smollm2.json: {file.stat().st_size / 1e3:.0f} kB")
