"""Every site of a transformers model, with gradients: hooks, no arithmetic of our own.

What a family is, is said in families/<model_type>.py (hyphens as underscores), which holds

    taps(model) -> {site: Tap}    where each site is read; made of `blocks`, `input_of`,
        `output_of`, `heads_of`, `part` of family.py. Names: residual.L.before / middle / after,
        attention.L.heads / output, feedForward.L.gate / up / hidden / output / router / experts,
        finalNorm, embedding (residual.0.before unless said). Where one block runs several
        times (ALBERT), give `blocks` it as often. Leave out what the family does not have.
    FIXTURES = {name: (config.json, seed, layout)}    layout: "one file", "two shards", "bfloat16".
        Of the seeds from `seed` on, the first that suits is taken.
    mistakes(config) -> {name: Mistake}    see family.py; `config` is config.json.

and, where the defaults do not fit,

    recording(model, record)    a context manager in which a pass calls record(site, value) for
        attention.L.query, key, value and pattern; `eager_attention` of family.py makes one. Absent:
        no such sites.
    CAUSAL = False    encoders: no greedy continuation.
    MODEL = "SwitchTransformersEncoderModel"    the class, if not config.json's architectures[0].
    SEQUENCES = [[…], […]]    two lists of ids of different length, if not those of fixtures.py.
    position(ids) -> int    the position explained: of the gradients, and where the checks look. The
        last one unless said; for a masked-language model the mask token's.
    inputs(ids) -> dict    the arguments of the forward pass, if more than input_ids.
    draw(name, noise) -> tensor or None    a weight from standard normal noise (float64), None for
        the usual.
    checkpoint(state, config) -> state    the weights under the names of published checkpoints,
        where transformers renames or reshapes on loading.
    GREEDY = False    no continuation is stored.
    POST_NORM = True    residual.middle and .after are normed sums (post-LN): not checked as sums.

The rules of the sites. Branch outputs are after the branch's own post-norm where it has one. Query
and key are after rope and head norms; key and value are not repeated over groups. residual.middle
is the stream between attention and feed-forward, absent in parallel blocks; in post-LN encoders it
is the normed state after attention, and residual.after the block's output. Experts: router is the
router's logits [1, position, experts], experts each one's weighted share [1, position, experts,
width], zero where not chosen, with one that all tokens share last; output is their sum.
"""

import contextlib
import copy
import json

import torch
import transformers
from transformers import CONFIG_MAPPING

from . import families
from .casts import everything_in


def empty(config, dtype=torch.float32):
    """The model that transformers makes of a config.json (a dictionary), weights not yet set."""
    family = families.family(config["model_type"])
    name = getattr(family, "MODEL", None) or config["architectures"][0]
    settings = CONFIG_MAPPING[config["model_type"]].from_dict(copy.deepcopy(config))
    settings._attn_implementation = "eager"
    settings._experts_implementation = "eager"
    return getattr(transformers, name)._from_config(settings, dtype=dtype).eval()


def build(folder, state, dtype):
    """The model of `folder`'s config.json with these weights."""
    return assemble(json.loads((folder / "config.json").read_text()), state, dtype)


def assemble(config, state, dtype, strict=True):
    """The model of a config.json with these weights; unless strict, some may be of no use to it."""
    with everything_in(dtype):
        model = empty(config, dtype).to(dtype)
        missing, unexpected = model.load_state_dict(
            {
                name: value.to(dtype) if value.is_floating_point() else value
                for name, value in state.items()
            },
            strict=False,
        )
    assert not missing and not (strict and unexpected), (missing, unexpected)
    assert all(value.dtype == dtype for value in model.parameters())
    for name, value in model.named_buffers():
        assert not value.is_floating_point() or value.dtype == dtype, name
    return model.requires_grad_(False)


def of(model):
    """The family module of a model."""
    return families.family(model.config.model_type)


def inputs(family, ids):
    """The arguments of the forward pass."""
    return getattr(family, "inputs", lambda ids: {"input_ids": torch.tensor([ids])})(ids)


def parts(model):
    """(blocks, final norm, block → modules by role), for edits of a running model."""
    taps = of(model).taps(model)
    count = model.config.num_hidden_layers
    blocks = [taps[f"residual.{index}.after"].module for index in range(count)]

    def role(block):
        index = next(number for number, other in enumerate(blocks) if other is block)
        sites = {
            "attention": f"attention.{index}.output",
            "project": f"attention.{index}.heads",
            "down": f"feedForward.{index}.hidden",
        }
        return {name: taps[site].module for name, site in sites.items()}

    return blocks, taps["finalNorm"].module, role


@contextlib.contextmanager
def tapped(taps, record):
    """Calls record(site, value) for every tap of the passes made within."""
    calls, hooks = {}, []

    def install(name, tap):
        calls[name] = 0

        def see(module, args, kwargs, output=None):
            calls[name] += 1
            if calls[name] == tap.call + 1:
                record(name, tap.read(module, args, kwargs, output))

        register = tap.module.register_forward_pre_hook
        if not tap.before:
            register = tap.module.register_forward_hook
        hooks.append(register(see, with_kwargs=True))

    try:
        for name, tap in taps.items():
            install(name, tap)
        yield
    finally:
        for hook in hooks:
            hook.remove()
    for name, count in calls.items():
        assert count > taps[name].call, f"{name}: its module ran {count} times"


def run(model, ids, dtype, record, graph=False, change_inputs=None):
    """One pass; calls record(site, value) for every site, and returns the model's logits, or None.

    With `graph` the token embeddings, and with them all that follows, carry gradients.
    """
    family = of(model)
    arguments = inputs(family, ids)
    if change_inputs is not None:
        change_inputs(arguments)
    recording = getattr(family, "recording", lambda model, record: contextlib.nullcontext())

    def leaf(_, __, output):
        return output.detach().requires_grad_().clone()

    hook = model.get_input_embeddings().register_forward_hook(leaf) if graph else None
    try:
        with tapped(family.taps(model), record), recording(model, record), everything_in(dtype):
            if "use_cache" in model.config.to_dict():
                arguments["use_cache"] = False
            output = model(**arguments)
    finally:
        if hook is not None:
            hook.remove()
    logits = getattr(output, "logits", None)
    if logits is not None:
        record("logits", logits)
    return logits


def sites(model, ids, dtype, gradient_of=None, gradient_weights=None):
    """Runs `ids` and returns every site by name; with `gradient_of` = (position, token), also
    the gradients of that logit with respect to the embedding and to each block's output; with
    `gradient_weights` [position, width], those of Σ weights ∘ (the last block's output).

    Shapes: query [1, heads, position, headWidth], key and value [1, key-value heads, position,
    headWidth], pattern [1, heads, query, key], heads [1, position, heads, headWidth], the rest
    [1, position, width]. Query and key are after rope.
    """
    found, live = {}, {}
    wanted = lambda name: name == "embedding" or name.endswith(".after")

    def record(name, value):
        assert name not in found, f"{name} was read twice"
        # Copied at once: what follows may add in place.
        found[name] = value.detach().clone().contiguous()
        if wanted(name) or name == "residual.0.before":
            live[name] = value

    graph = gradient_of is not None or gradient_weights is not None
    logits = run(model, ids, dtype, record, graph)
    if "embedding" not in found:
        found["embedding"] = found["residual.0.before"].clone()
        live["embedding"] = live["residual.0.before"]
    if graph:
        live.pop("residual.0.before", None)
        if gradient_of is not None:
            value = logits[0, gradient_of[0], gradient_of[1]]
        else:
            value = (gradient_weights.to(dtype) * live[last_residual(found)][0]).sum()
        for name, gradient in zip(live, torch.autograd.grad(value, list(live.values()))):
            found[f"gradient.{name}"] = gradient.detach().clone().contiguous()
    return found


def last_residual(found):
    """The name of the last block's output."""
    layers = [int(n.split(".")[1]) for n in found if n.startswith("residual.")]
    return f"residual.{max(layers)}.after"
