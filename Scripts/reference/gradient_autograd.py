"""A second opinion on the rules: transformers' own modules, coefficients detached, autograd backwards."""

import contextlib
import types

import torch
from safetensors.torch import load_file

from . import capture


def root(x, epsilon, is_held):
    scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon)
    return scale.detach() if is_held else scale


def network_forward(rules):
    def forward(self, x):
        gate, up = self.gate_proj(x), self.up_proj(x)
        if rules.activation == "ratio":
            gate = gate * torch.sigmoid(gate).detach()
        else:
            gate = torch.nn.functional.silu(gate)
        if rules.product == "half":
            hidden = 0.5 * (gate * up.detach() + gate.detach() * up)
        elif rules.product == "stop-gate":
            hidden = gate.detach() * up
        else:
            hidden = gate * up
        self.hidden = hidden
        if rules.feed_forward == "stop":
            self.hidden = hidden.detach().requires_grad_()
        return self.down_proj(self.hidden)

    return forward


@contextlib.contextmanager
def holding(model, rules):
    """The model's modules with the rules' coefficients out of autograd's sight."""
    softmax = torch.nn.functional.softmax

    def pattern(*arguments, **named):
        made = softmax(*arguments, **named)
        return made.detach() if rules.pattern == "frozen" else made

    for module in model.modules():
        name = type(module).__name__
        if name.endswith("RMSNorm"):
            module.forward = types.MethodType(
                lambda self, x: self.weight
                * x
                * root(x, self.variance_epsilon, rules.norm == "frozen"),
                module,
            )
        elif name.endswith("MLP"):
            module.forward = types.MethodType(network_forward(rules), module)
    torch.nn.functional.softmax = pattern
    try:
        yield
    finally:
        torch.nn.functional.softmax = softmax
        for module in model.modules():
            module.__dict__.pop("forward", None)


def coefficients(folder, ids, metric, rules):
    """∂m at the embedding and at every neuron, by autograd."""
    state = {}
    for file in sorted(folder.glob("model*.safetensors")):
        state |= load_file(file)
    state.setdefault("lm_head.weight", state["model.embed_tokens.weight"])
    model = capture.build(folder, state, torch.float64)
    with holding(model, rules), capture.everything_in(torch.float64):
        start = model.get_input_embeddings()(torch.tensor([ids])).detach().requires_grad_()
        logits = model(inputs_embeds=start, use_cache=False).logits[0]
        token, versus, position = metric
        value = logits[position, token] - logits[position, versus]
        hidden = [block.mlp.hidden for block in model.model.layers]
        found = torch.autograd.grad(value, [start, *hidden])
    return found[0][0].numpy(), [gradient[0].numpy() for gradient in found[1:]]
