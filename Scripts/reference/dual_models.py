"""Families from their formulas over duals: Llama, Qwen 3, Gemma 2, OLMo 2, Mixtral, GPT-2, GPT-NeoX, BERT.

Every one reads the checkpoint's own names. A network is run from what its first block receives; sites are
embedding, and of each block heads, attention, hidden (not of experts), mlp, residual.
"""

import json
import math

import numpy
from safetensors.numpy import load_file

from . import duals
from .duals import Dual


class Network:
    """A tiny model in float64."""

    def __init__(self, folder):
        self.config = json.loads((folder / "config.json").read_text())
        weights = {}
        for file in sorted(folder.glob("model*.safetensors")):
            weights |= load_file(file)
        self.weights = {
            name: value.astype(float) for name, value in weights.items() if value.dtype != bool
        }
        self.kind = self.config["model_type"]
        c = self.config
        self.layers = c.get("num_hidden_layers", c.get("n_layer"))
        self.width = c.get("hidden_size", c.get("n_embd"))
        self.heads = c.get("num_attention_heads", c.get("n_head"))
        self.key_heads = c.get("num_key_value_heads", self.heads)
        self.head_width = c.get("head_dim") or self.width // self.heads
        self.hidden = c.get("intermediate_size", c.get("n_inner"))
        self.experts = c.get("num_local_experts")
        self.is_causal = self.kind != "bert"

    # MARK: weights

    def get(self, name):
        return self.weights.get(name)

    def linear(self, x, name, source, transposed=False):
        matrix = self.weights[f"{name}.weight"]
        return source(x.last(matrix.T if transposed else matrix), self.get(f"{name}.bias"))

    def normed(self, x, name, rules, source):
        """The norm of that name, its bias a source."""
        weight = self.get(f"{name}.weight")
        if weight is None:
            weight = self.weights[f"{name}.gamma"]
        bias = self.get(f"{name}.bias")
        if bias is None:
            bias = self.get(f"{name}.beta")
        c = self.config
        epsilon = next(
            c[key] for key in ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon") if key in c
        )
        kind = "rms" if "rms_norm_eps" in c else "layer"
        if self.kind == "gemma2":
            weight = 1 + weight
        return source(duals.norm(x, kind, weight, epsilon, rules.norm), bias)

    # MARK: from tokens

    def embedding(self, ids):
        """What the first block receives: [position, width]."""
        w = self.weights
        if self.kind == "gpt2":
            return w["transformer.wte.weight"][ids] + w["transformer.wpe.weight"][: len(ids)]
        if self.kind == "gpt_neox":
            return w["gpt_neox.embed_in.weight"][ids]
        if self.kind == "bert":
            at = "bert.embeddings."
            rows = w[at + "word_embeddings.weight"][ids]
            rows = rows + w[at + "position_embeddings.weight"][: len(ids)]
            rows = rows + w[at + "token_type_embeddings.weight"][0]
            no = Dual(rows, numpy.zeros((1, *rows.shape)))
            return self.normed(no, at + "LayerNorm", duals.GRADIENT, lambda x, bias: Dual(x.v + bias, x.t)).v
        rows = w["model.embed_tokens.weight"][ids]
        return rows * math.sqrt(self.width) if self.kind == "gemma2" else rows

    # MARK: attention

    def rotated(self, x):
        """x [heads, position, headWidth] turned by its position."""
        c = self.config
        if "rope_theta" in c:
            base, turned = c["rope_theta"], self.head_width
        elif "rotary_emb_base" in c:
            base, turned = c["rotary_emb_base"], int(self.head_width * c["rotary_pct"])
        else:
            return x
        frequency = base ** -(numpy.arange(0, turned, 2) / turned)
        angle = numpy.arange(x.v.shape[-2])[:, None] * frequency
        cosine, sine = numpy.cos(angle), numpy.sin(angle)

        def turn(value):
            first, second = value[..., : turned // 2], value[..., turned // 2 : turned]
            return numpy.concatenate(
                [first * cosine - second * sine, second * cosine + first * sine, value[..., turned:]], -1
            )

        return Dual(turn(x.v), turn(x.t))

    def split(self, x, heads):
        """[position, heads · headWidth] to [heads, position, headWidth]."""

        def cut(value):
            shape = (*value.shape[:-1], heads, value.shape[-1] // heads)
            return value.reshape(shape).swapaxes(-3, -2)

        return Dual(cut(x.v), cut(x.t))

    def allowed(self, count, layer):
        query, key = numpy.arange(count)[:, None], numpy.arange(count)[None, :]
        if not self.is_causal:
            return numpy.ones((count, count), bool)
        seen = key <= query
        # Gemma 2: a window in every other block, the first with it.
        if self.kind == "gemma2" and layer % 2 == 0:
            seen &= query - key < self.config["sliding_window"]
        return seen

    def queries_keys_values(self, x, layer, rules, source):
        """Before rotation, by heads."""
        if self.kind == "gpt2":
            made = self.linear(x, f"transformer.h.{layer}.attn.c_attn", source, transposed=True)
            thirds = [made.take((Ellipsis, slice(i * self.width, (i + 1) * self.width))) for i in range(3)]
            return [self.split(part, self.heads) for part in thirds]
        if self.kind == "gpt_neox":
            made = self.linear(x, f"gpt_neox.layers.{layer}.attention.query_key_value", source)
            every = self.split(made, self.heads)
            d = self.head_width
            return [every.take((Ellipsis, slice(i * d, (i + 1) * d))) for i in range(3)]
        if self.kind == "bert":
            at = f"bert.encoder.layer.{layer}.attention.self."
            return [self.split(self.linear(x, at + part, source), self.heads) for part in ("query", "key", "value")]
        at = f"model.layers.{layer}.self_attn."
        q, k, v = (self.linear(x, at + f"{part}_proj", source) for part in "qkv")
        if self.kind == "olmo2":
            q = self.normed(q, at + "q_norm", rules, source)
            k = self.normed(k, at + "k_norm", rules, source)
        q, k, v = self.split(q, self.heads), self.split(k, self.key_heads), self.split(v, self.key_heads)
        if self.kind == "qwen3":
            q = self.normed(q, at + "q_norm", rules, source)
            k = self.normed(k, at + "k_norm", rules, source)
        return [q, k, v]

    def attention(self, x, layer, rules, source, site):
        """The branch, from what its projections read to what W_O gives."""
        q, k, v = self.queries_keys_values(x, layer, rules, source)
        q, k = self.rotated(q), self.rotated(k)
        group = self.heads // self.key_heads
        if group > 1:
            owner = numpy.arange(self.heads) // group
            k, v = k.take((owner,)), v.take((owner,))
        scale = 1 / math.sqrt(self.config.get("query_pre_attn_scalar", self.head_width))
        turned = Dual(k.v.swapaxes(-1, -2), k.t.swapaxes(-1, -2))
        scores = duals.matmul(q, turned) * scale
        scores = duals.soft_cap(scores, self.config.get("attn_logit_softcapping"), rules.activation)
        seen = self.allowed(x.v.shape[0], layer)
        scores = Dual(numpy.where(seen, scores.v, -math.inf), numpy.where(seen, scores.t, 0))
        pattern = duals.softmax(scores)
        if rules.pattern == "frozen":
            pattern = duals.held(pattern)
        if rules.mistake == "halved values":
            v = Dual(v.v, 0.5 * v.t)
        mixed = duals.matmul(pattern, v)
        if rules.mistake == "swapped heads":
            order = [1, 0, *range(2, self.heads)]
            mixed = Dual(mixed.v, mixed.t[:, order])
        join = lambda value: value.swapaxes(-3, -2).reshape(*value.shape[:-3], value.shape[-2], -1)
        heads = site(f"heads.{layer}", Dual(join(mixed.v), join(mixed.t)))
        if self.kind == "gpt2":
            return self.linear(heads, f"transformer.h.{layer}.attn.c_proj", source, transposed=True)
        names = {
            "gpt_neox": f"gpt_neox.layers.{layer}.attention.dense",
            "bert": f"bert.encoder.layer.{layer}.attention.output.dense",
        }
        return self.linear(heads, names.get(self.kind, f"model.layers.{layer}.self_attn.o_proj"), source)

    # MARK: feed-forward

    def feed_forward(self, x, layer, rules, source, site):
        """The branch; nothing passes it where the rules stop it, but what starts at its neurons."""
        if self.experts:
            return self.mixture(x, layer, rules, source)
        act = self.config.get("hidden_activation") or self.config.get(
            "hidden_act", self.config.get("activation_function")
        )
        plain = {
            "gpt2": ("transformer.h.{}.mlp.c_fc", "transformer.h.{}.mlp.c_proj"),
            "gpt_neox": ("gpt_neox.layers.{}.mlp.dense_h_to_4h", "gpt_neox.layers.{}.mlp.dense_4h_to_h"),
            "bert": ("bert.encoder.layer.{}.intermediate.dense", "bert.encoder.layer.{}.output.dense"),
        }
        if self.kind in plain:
            into, out = (name.format(layer) for name in plain[self.kind])
            turned = self.kind == "gpt2"
            hidden = duals.activation(self.linear(x, into, source, turned), act, rules.activation)
        else:
            at, turned = f"model.layers.{layer}.mlp.", False
            gate = duals.activation(self.linear(x, at + "gate_proj", source), act, rules.activation)
            hidden = duals.product(gate, self.linear(x, at + "up_proj", source), rules.product)
            out = at + "down_proj"
        hidden = site(f"hidden.{layer}", hidden, stopped=rules.feed_forward == "stop")
        return self.linear(hidden, out, source, turned)

    def mixture(self, x, layer, rules, source):
        """The chosen experts' sum, weighted by the softmax over all, made to sum to 1."""
        at = f"model.layers.{layer}.block_sparse_moe."
        weights = duals.softmax(self.linear(x, at + "gate", source))
        count = self.config["num_experts_per_tok"]
        chosen = numpy.argsort(-weights.v, -1)[:, :count]
        mask = numpy.zeros_like(weights.v)
        numpy.put_along_axis(mask, chosen, 1, -1)
        whole = (mask * weights.v).sum(-1, keepdims=True)
        share = mask * weights.v / whole
        change = mask * (weights.t - share * (mask * weights.t).sum(-1, keepdims=True)) / whole
        if rules.pattern == "frozen":
            change = 0 * change
        total = None
        for expert in range(self.experts):
            name = f"{at}experts.{expert}."
            gate = duals.activation(
                self.linear(x, name + "w1", source), self.config["hidden_act"], rules.activation
            )
            hidden = duals.product(gate, self.linear(x, name + "w3", source), rules.product)
            made = self.linear(hidden, name + "w2", source)
            part = Dual(
                share[:, expert, None] * made.v,
                share[:, expert, None] * made.t + change[..., expert, None] * made.v,
            )
            total = part if total is None else total + part
        return duals.held(total) if rules.feed_forward == "stop" else total

    # MARK: blocks

    def block(self, x, layer, rules, source, site):
        source.block = layer
        normed = lambda value, name: self.normed(value, name, rules, source)
        attend = lambda value: self.attention(value, layer, rules, source, site)
        feed = lambda value: self.feed_forward(value, layer, rules, source, site)
        # What a branch reads of the stream, apart from the stream.
        tap = lambda value: site(f"tap.{layer}", value)
        attention = lambda value: site(f"attention.{layer}", value)
        mlp = lambda value: site(f"mlp.{layer}", value)
        if self.kind == "gpt2":
            at = f"transformer.h.{layer}."
            x = x + attention(attend(normed(x, at + "ln_1")))
            return x + mlp(feed(normed(tap(x), at + "ln_2")))
        if self.kind == "gpt_neox":
            at = f"gpt_neox.layers.{layer}."
            made = attention(attend(normed(x, at + "input_layernorm")))
            return x + made + mlp(feed(normed(tap(x), at + "post_attention_layernorm")))
        if self.kind == "bert":
            at = f"bert.encoder.layer.{layer}."
            x = normed(x + attention(attend(x)), at + "attention.output.LayerNorm")
            return normed(x + mlp(feed(tap(x))), at + "output.LayerNorm")
        at = f"model.layers.{layer}."
        if self.kind == "olmo2":
            x = x + attention(normed(attend(x), at + "post_attention_layernorm"))
            return x + mlp(normed(feed(tap(x)), at + "post_feedforward_layernorm"))
        if self.kind == "gemma2":
            made = attend(normed(x, at + "input_layernorm"))
            x = x + attention(normed(made, at + "post_attention_layernorm"))
            made = feed(normed(tap(x), at + "pre_feedforward_layernorm"))
            return x + mlp(normed(made, at + "post_feedforward_layernorm"))
        x = x + attention(attend(normed(x, at + "input_layernorm")))
        return x + mlp(feed(normed(tap(x), at + "post_attention_layernorm")))

    def head(self, x, rules, source):
        """Logits."""
        source.block = self.layers
        if rules.mistake == "true final norm":
            rules = duals.Rules("true", rules.pattern, rules.product, rules.activation)
        w = self.weights
        if self.kind == "bert":
            at = "cls.predictions."
            x = self.linear(x, at + "transform.dense", source)
            x = duals.activation(x, self.config["hidden_act"], rules.activation)
            x = self.normed(x, at + "transform.LayerNorm", rules, source)
            return source(x.last(w["bert.embeddings.word_embeddings.weight"]), w[at + "bias"])
        final = {"gpt2": "transformer.ln_f", "gpt_neox": "gpt_neox.final_layer_norm"}
        x = self.normed(x, final.get(self.kind, "model.norm"), rules, source)
        tied = {"gpt2": "transformer.wte.weight", "gpt_neox": "embed_out.weight"}
        name = tied.get(self.kind, "lm_head.weight")
        matrix = w[name] if name in w else w["model.embed_tokens.weight"]
        return duals.soft_cap(x.last(matrix), self.config.get("final_logit_softcapping"), rules.activation)
