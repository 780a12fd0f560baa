"""Writes Tests/Fixtures/models/<name>/iglens-reference.json for three of the fixtures."""

import json

import torch

from . import capture, fixtures, iglens, model_fixtures

NAMES = ["llama-grouped-untied", "qwen2", "gpt2"]
ANSWER = 4  # greedy tokens appended to sequence 0
VERSUS = 11

ABOUT = [
    "IG-Lens from its definition in float64: autograd at every node, no closed form.",
    "ids: the prompt (prompt_tokens of them), then its greedy continuation. All rows come from one",
    "forward pass over ids. other_ids is the prompt of the baseline final-of (its last position)",
    "and of contrast. Layers count from 0; -1 is the embedding.",
    "cases[]: one explained position and choice of layers. token is read, versus is set against it",
    "in prob-diff and logit-diff. model_value[target] is the ordinary forward pass's.",
    "lens[target], rank, entropy, top ([id, probability]): one entry per layer.",
    "baselines[kind][target]: baseline_value, and one entry per layer of observed (differences of",
    "f), gradient (midpoint rule, 64 nodes in t), gauss (Gauss-Legendre, 16 nodes in t); onset is",
    "the layer where cumulative |observed| reaches half, null where nothing moves. mean-nosink is",
    "absent at position 0.",
    "span: log-probabilities summed over the answer tokens; each row has its own baseline.",
    "contrast: target prob of the first answer token at prompt_tokens - 1, read in both prompts.",
    "iglens[]: what the published script computes. Hidden states 0...n, the last one already",
    "normed, norm and head on each; states is its choice; baseline: mean over all positions of the",
    "lowest chosen state; contributions low to high; sum; difference = final - baseline.",
]


def pick(logits, position, ids):
    return ids[position + 1] if position + 1 < len(ids) else int(logits[position].argmax())


def head_of(config, state):
    if config["model_type"] == "gpt2":
        return iglens.Head(
            state["transformer.ln_f.weight"].double(),
            state["transformer.ln_f.bias"].double(),
            config["layer_norm_epsilon"],
            state["lm_head.weight"].double(),
            layer_norm=True,
        )
    return iglens.Head(
        state["model.norm.weight"].double(),
        None,
        config["rms_norm_eps"],
        state["lm_head.weight"].double(),
    )


def states_of(found, blocks):
    """The residual stream [layer + 1][position, width]."""
    after = [found[f"residual.{index}.after"][0] for index in range(blocks)]
    return [found["embedding"][0], *after]


def case(head, states, logits, position, token, layers, other):
    model = logits[position].softmax(-1)
    question = iglens.Question(token, VERSUS, model)
    at = lambda layer: states[layer + 1][position]
    result = {
        "position": position,
        "token": token,
        "versus": VERSUS,
        "layers": layers,
        "model_value": {t: question.value(t, logits[position]).item() for t in iglens.TARGETS},
        "lens": {
            t: [question.value(t, head.logits(at(layer))).item() for layer in layers]
            for t in iglens.TARGETS
        },
        **{
            key: [iglens.lens(head, at(layer), token)[key] for layer in layers]
            for key in ("rank", "entropy", "top")
        },
        "baselines": {},
    }
    for target in iglens.TARGETS:  # the readout of the last state is the model's own output
        gap = result["lens"][target][-1] - result["model_value"][target]
        assert abs(gap) < 1e-12 * (1 + abs(result["model_value"][target])), (target, gap)
    for kind in iglens.BASELINES:
        if kind == "mean-nosink" and position == 0:
            continue
        start = iglens.baseline(kind, states, position, layers[0], other)
        path = [start] + [at(layer) for layer in layers]
        rows = {}
        for target in iglens.TARGETS:
            function = lambda h, t=target: question.value(t, head.logits(h))
            rows[target] = iglens.attribute(function, path, layers)
            whole = rows[target]["baseline_value"] + sum(rows[target]["observed"])
            assert abs(whole - result["model_value"][target]) < 1e-11
        result["baselines"][kind] = rows
    return result


def span(head, states, logits, ids, first, layers, other):
    """The sum over answer tokens of the log-probability rows."""
    result = {"positions": list(range(first, len(ids) - 1)), "layers": layers, "baselines": {}}
    rows = []
    for position in result["positions"]:
        rows.append(iglens.Question(ids[position + 1], VERSUS, logits[position].softmax(-1)))
    value = lambda question, h: question.value("logprob", head.logits(h))
    result["lens"] = [
        sum(value(q, states[l + 1][p]).item() for q, p in zip(rows, result["positions"]))
        for l in layers
    ]
    for kind in iglens.BASELINES:
        parts = []
        for question, position in zip(rows, result["positions"]):
            start = iglens.baseline(kind, states, position, layers[0], other)
            path = [start] + [states[layer + 1][position] for layer in layers]
            parts.append(iglens.attribute(lambda h: value(question, h), path, layers))
        summed = {
            key: [sum(part[key][j] for part in parts) for j in range(len(layers))]
            for key in ("observed", "gradient", "gauss")
        }
        summed["baseline_value"] = sum(part["baseline_value"] for part in parts)
        summed["onset"] = iglens.onset(layers, summed["observed"])
        result["baselines"][kind] = summed
    return result


def published(head, states, final, ids, first, blocks, count):
    """The published script's numbers: its last hidden state is normed twice."""
    chosen = iglens.published_states(blocks, count)
    hidden = [*states[:-1], final]
    rows = []
    for position in range(first, len(ids) - 1):
        token = ids[position + 1]
        function = lambda h: head.logits(h).softmax(-1)[token]
        path = [hidden[chosen[0]].mean(0)] + [hidden[number][position] for number in chosen]
        parts = iglens.attribute(function, path, chosen)
        ends = function(path[-1]).item()
        rows.append(
            {
                "position": position,
                "token": token,
                "baseline_value": parts["baseline_value"],
                "final": ends,
                "difference": ends - parts["baseline_value"],
                "observed": parts["observed"],
                "gradient": parts["gradient"],
                "gradient_sum": sum(parts["gradient"]),
            }
        )
    return {"states": chosen, "rows": rows}


def make(root, versions):
    for name in NAMES:
        config, seed, layout = fixtures.FIXTURES[name]
        folder = root / name
        state = model_fixtures.weights(folder, config, seed, layout)
        blocks = config.get("num_hidden_layers", config.get("n_layer"))
        prompt, other_ids = fixtures.SEQUENCES
        ids = prompt + model_fixtures.greedy(config, state, prompt, ANSWER)
        model = capture.build(folder, state, torch.float64)
        found = capture.sites(model, ids, torch.float64)
        head, states, logits = head_of(config, state), states_of(found, blocks), found["logits"][0]
        other_states = states_of(capture.sites(model, other_ids, torch.float64), blocks)
        other = other_states[-1][-1]
        whole = list(range(blocks))
        chosen = [whole, [-1, *whole], [whole[-1]]]
        first = len(prompt) - 1
        cases = [
            case(head, states, logits, position, pick(logits, position, ids), layers, other)
            for position in (0, 4, first, first + 2)
            for layers in chosen
        ]
        answer = ids[len(prompt)]
        # The contrast prompt has the same continuation after it.
        contrast_states = states_of(
            capture.sites(model, other_ids + ids[len(prompt) :], torch.float64), blocks
        )
        read = lambda h: head.logits(h).softmax(-1)[answer].item()
        here = [read(states[layer + 1][first]) for layer in whole]
        there = [read(contrast_states[layer + 1][len(other_ids) - 1]) for layer in whole]
        final = found["finalNorm"][0]
        counts = [c for c in (2, 3) if c <= blocks]
        document = {
            "about": ABOUT,
            "made": {**versions, "seed": seed},
            "ids": ids,
            "prompt_tokens": len(prompt),
            "other_ids": other_ids,
            "cases": cases,
            "span": span(head, states, logits, ids, first, whole, other),
            "contrast": {"token": answer, "layers": whole, "lens": here, "contrast_lens": there},
            "iglens": [
                published(head, states, final, ids, first, blocks, count) for count in counts
            ],
        }
        file = folder / "iglens-reference.json"
        file.write_text(json.dumps(document, separators=(",", ":")) + "\n")
        print(f"{name}: iglens-reference.json {file.stat().st_size / 1e3:.0f} kB")
