"""Every site of a transformers model, with gradients: hooks, no arithmetic of our own."""

import sys

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from .casts import everything_in


def build(folder, state, dtype):
    """The model that transformers makes of `folder`'s config.json, with these weights."""
    config = AutoConfig.from_pretrained(folder)
    config._attn_implementation = "eager"
    with everything_in(dtype):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation="eager")
        model = model.to(dtype).eval()
        missing, unexpected = model.load_state_dict(
            {name: value.to(dtype) for name, value in state.items()}, strict=False
        )
    assert not missing and not unexpected, (missing, unexpected)
    assert all(value.dtype == dtype for value in model.parameters())
    for name, value in model.named_buffers():
        assert not value.is_floating_point() or value.dtype == dtype, name
    return model.requires_grad_(False)


def parts(model):
    """(blocks, final norm, block → modules by role) of the two wirings that we use."""
    if model.config.model_type == "gpt2":
        body = model.transformer
        role = lambda block: {
            "attention": block.attn,
            "middle": block.ln_2,
            "project": block.attn.c_proj,
            "up": block.mlp.c_fc,
            "down": block.mlp.c_proj,
        }
        return body.h, body.ln_f, role
    body = model.model
    role = lambda block: {
        "attention": block.self_attn,
        "middle": block.post_attention_layernorm,
        "project": block.self_attn.o_proj,
        "gate": block.mlp.gate_proj,
        "up": block.mlp.up_proj,
        "down": block.mlp.down_proj,
    }
    return body.layers, body.norm, role


def sites(model, ids, dtype, gradient_of=None):
    """Runs `ids` and returns every site by name; with `gradient_of` = (position, token), also
    the gradients of that logit with respect to the embedding and to each block's output.

    Shapes: query [1, heads, position, headWidth], key and value [1, key-value heads, position,
    headWidth], pattern [1, heads, query, key], heads [1, position, heads, headWidth], the rest
    [1, position, width]. Query and key are after rope.
    """
    found, hooks = {}, []
    blocks, final_norm, role = parts(model)

    def keep(name, value):
        if value.requires_grad:
            value.retain_grad()
        found[name] = value

    def on_input(module, name, shape=None):
        def hook(_, args, kwargs):
            value = args[0] if args else kwargs["hidden_states"]
            keep(name, value if shape is None else value.view(shape))

        hooks.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    def on_output(module, name):
        def hook(_, __, output):
            keep(name, output[0] if isinstance(output, tuple) else output)

        hooks.append(module.register_forward_hook(hook))

    for index, block in enumerate(blocks):
        modules = role(block)
        on_input(block, f"residual.{index}.before")
        on_input(modules["middle"], f"residual.{index}.middle")
        on_output(block, f"residual.{index}.after")
        on_output(modules["attention"], f"attention.{index}.output")
        heads = model.config.num_attention_heads
        on_input(modules["project"], f"attention.{index}.heads", (1, len(ids), heads, -1))
        if "gate" in modules:
            on_output(modules["gate"], f"feedForward.{index}.gate")
        on_output(modules["up"], f"feedForward.{index}.up")
        on_input(modules["down"], f"feedForward.{index}.hidden")
        on_output(modules["down"], f"feedForward.{index}.output")
    on_output(final_norm, "finalNorm")

    # Query, key, value and pattern pass through one function of the model's own source file.
    source = sys.modules[type(model).__module__]
    eager = source.eager_attention_forward

    def recording(module, query, key, value, *args, **kwargs):
        context, pattern = eager(module, query, key, value, *args, **kwargs)
        for part, tensor in zip(("query", "key", "value", "pattern"), (query, key, value, pattern)):
            found[f"attention.{module.layer_idx}.{part}"] = tensor
        return context, pattern

    source.eager_attention_forward = recording
    try:
        with everything_in(dtype):
            embed = model.get_input_embeddings()(torch.tensor([ids]))
            embed.requires_grad_(gradient_of is not None)
            output = model(inputs_embeds=embed, use_cache=False)
    finally:
        source.eager_attention_forward = eager
        for hook in hooks:
            hook.remove()
    found["embedding"] = found["residual.0.before"]
    found["logits"] = output.logits
    result = {name: value.detach().clone().contiguous() for name, value in found.items()}
    if gradient_of is not None:
        position, token = gradient_of
        wanted = ["embedding"] + [f"residual.{index}.after" for index in range(len(blocks))]
        gradients = torch.autograd.grad(
            output.logits[0, position, token], [found[name] for name in wanted]
        )
        for name, gradient in zip(wanted, gradients):
            result[f"gradient.{name}"] = gradient.detach().clone().contiguous()
    return result
