"""Llama and GPT-2 once more, from their formulas: the check on the hooks and on the mistakes.

`wrong` names one mistake to make: mask, norm, heads, grouping, rope, scaling, biases, positions,
activation. A test that cannot tell a mistake from the right answer proves nothing.
"""

import math

import torch


def run(config, state, ids, dtype, wrong=None):
    """Every site for `ids`, by the names of capture.sites, without the leading batch axis of 1."""
    weights = {name: value.to(dtype) for name, value in state.items()}
    if config["model_type"] == "gpt2":
        return _gpt2(config, weights, ids, wrong)
    return _llama(config, weights, ids, wrong)


def _allowed(count, wrong):
    query, key = torch.arange(count)[:, None], torch.arange(count)[None, :]
    return key <= query if wrong != "mask" else torch.ones(count, count, dtype=torch.bool)


def _attend(found, index, query, key, value, allowed, wrong):
    """query, key, value [heads, position, headWidth] → context [position, heads · headWidth]."""
    heads, count, width = query.shape
    group = heads // key.shape[0]
    owner = [h % key.shape[0] if wrong == "grouping" else h // group for h in range(heads)]
    contexts, patterns = [], []
    for head in range(heads):
        scores = query[head] @ key[owner[head]].T / math.sqrt(width)
        scores = scores.masked_fill(~allowed, -math.inf)
        scores = scores - scores.max(-1, keepdim=True).values
        pattern = scores.exp() / scores.exp().sum(-1, keepdim=True)
        patterns.append(pattern)
        contexts.append(pattern @ value[owner[head]])
    if wrong == "heads":
        contexts[0], contexts[1] = contexts[1], contexts[0]
    context = torch.stack(contexts, 1)  # position, heads, headWidth
    for part, tensor in zip(("query", "key", "value"), (query, key, value)):
        found[f"attention.{index}.{part}"] = tensor
    found[f"attention.{index}.pattern"] = torch.stack(patterns)
    found[f"attention.{index}.heads"] = context
    return context.reshape(count, -1)


def _rms(x, weight, epsilon):
    return weight * (x / (x.pow(2).mean(-1, keepdim=True) + epsilon).sqrt())


def _layer_norm(x, weight, bias, epsilon):
    centred = x - x.mean(-1, keepdim=True)
    return weight * (centred / (centred.pow(2).mean(-1, keepdim=True) + epsilon).sqrt()) + bias


def _frequencies(config, head_width, dtype, wrong):
    """Radians per position of each rotated pair, with the scaling of config.json."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    base = rope.get("rope_theta", config.get("rope_theta"))
    if wrong == "rope":
        base = base * 4
    pairs = torch.arange(0, head_width, 2, dtype=dtype) / head_width
    frequencies = base**-pairs
    kind = rope.get("rope_type", rope.get("type", "default"))
    if wrong == "scaling" or kind == "default":
        return frequencies
    if kind == "linear":
        return frequencies / rope["factor"]
    assert kind == "llama3", kind
    context = rope["original_max_position_embeddings"]
    low, high, factor = rope["low_freq_factor"], rope["high_freq_factor"], rope["factor"]
    scaled = []
    for frequency in frequencies:
        turns = context * frequency / (2 * math.pi)
        smooth = ((turns - low) / (high - low)).clamp(0, 1)
        scaled.append((1 - smooth) * frequency / factor + smooth * frequency)
    return torch.stack(scaled)


def _rotate(x, frequencies):
    """Rotates pair (j, j + half) of each head at position p by p · frequency j."""
    half = x.shape[-1] // 2
    angles = torch.arange(x.shape[-2], dtype=x.dtype)[:, None] * frequencies
    first, second = x[..., :half], x[..., half:]
    return torch.cat(
        [
            first * angles.cos() - second * angles.sin(),
            second * angles.cos() + first * angles.sin(),
        ],
        -1,
    )


def _llama(config, weights, ids, wrong):
    found = {}
    dtype = weights["lm_head.weight"].dtype
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    head_width = config.get("head_dim") or config["hidden_size"] // heads
    epsilon, count = config["rms_norm_eps"], len(ids)
    allowed = _allowed(count, wrong)
    frequencies = _frequencies(config, head_width, dtype, wrong)

    def linear(x, name):
        bias = weights.get(name + ".bias", 0) if wrong != "biases" else 0
        return x @ weights[name + ".weight"].T + bias

    residual = weights["model.embed_tokens.weight"][ids]
    found["embedding"] = residual
    for index in range(config["num_hidden_layers"]):
        block = f"model.layers.{index}."
        found[f"residual.{index}.before"] = residual
        x = _rms(residual, weights[block + "input_layernorm.weight"], epsilon)
        split = lambda name, n: linear(x, block + name).view(count, n, head_width).transpose(0, 1)
        query = _rotate(split("self_attn.q_proj", heads), frequencies)
        key = _rotate(split("self_attn.k_proj", groups), frequencies)
        value = split("self_attn.v_proj", groups)
        context = _attend(found, index, query, key, value, allowed, wrong)
        attention = linear(context, block + "self_attn.o_proj")
        found[f"attention.{index}.output"] = attention
        residual = residual + attention
        found[f"residual.{index}.middle"] = residual
        x = _rms(residual, weights[block + "post_attention_layernorm.weight"], epsilon)
        gate, up = linear(x, block + "mlp.gate_proj"), linear(x, block + "mlp.up_proj")
        hidden = gate / (1 + (-gate).exp()) * up
        output = linear(hidden, block + "mlp.down_proj")
        for part, tensor in zip(("gate", "up", "hidden", "output"), (gate, up, hidden, output)):
            found[f"feedForward.{index}.{part}"] = tensor
        residual = residual + output
        found[f"residual.{index}.after"] = residual
    final = _rms(residual, weights["model.norm.weight"], epsilon)
    if wrong == "norm":
        final = _rms(final, weights["model.norm.weight"], epsilon)
    found["finalNorm"] = final
    found["logits"] = final @ weights["lm_head.weight"].T
    return found


def _gpt2(config, weights, ids, wrong):
    found = {}
    heads, width, count = config["n_head"], config["n_embd"], len(ids)
    epsilon = config["layer_norm_epsilon"]
    allowed = _allowed(count, wrong)

    def norm(x, name):
        bias = weights[f"transformer.{name}.bias"] if wrong != "biases" else 0
        return _layer_norm(x, weights[f"transformer.{name}.weight"], bias, epsilon)

    def linear(x, name):  # stored [in, out]
        bias = weights[f"transformer.{name}.bias"] if wrong != "biases" else 0
        return x @ weights[f"transformer.{name}.weight"] + bias

    positions = torch.arange(count) + (1 if wrong == "positions" else 0)
    residual = weights["transformer.wte.weight"][ids] + weights["transformer.wpe.weight"][positions]
    found["embedding"] = residual
    for index in range(config["n_layer"]):
        found[f"residual.{index}.before"] = residual
        joined = linear(norm(residual, f"h.{index}.ln_1"), f"h.{index}.attn.c_attn")
        query, key, value = (
            part.reshape(count, heads, -1).transpose(0, 1) for part in joined.split(width, -1)
        )
        context = _attend(found, index, query, key, value, allowed, wrong)
        attention = linear(context, f"h.{index}.attn.c_proj")
        found[f"attention.{index}.output"] = attention
        residual = residual + attention
        found[f"residual.{index}.middle"] = residual
        up = linear(norm(residual, f"h.{index}.ln_2"), f"h.{index}.mlp.c_fc")
        inner = math.sqrt(2 / math.pi) * (up + 0.044715 * up**3)
        hidden = 0.5 * up * (1 + torch.tanh(inner))
        if wrong == "activation":
            hidden = up / (1 + (-1.702 * up).exp())
        output = linear(hidden, f"h.{index}.mlp.c_proj")
        for part, tensor in zip(("up", "hidden", "output"), (up, hidden, output)):
            found[f"feedForward.{index}.{part}"] = tensor
        residual = residual + output
        found[f"residual.{index}.after"] = residual
    final = norm(residual, "ln_f")
    if wrong == "norm":
        final = norm(final, "ln_f")
    found["finalNorm"] = final
    found["logits"] = final @ weights["lm_head.weight"].T
    return found


def covers(config):
    """Whether these formulas hold for the model of this config.json."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    return config["model_type"] == "gpt2" or (
        config["model_type"] == "llama" and kind in ("default", "linear", "llama3")
    )
