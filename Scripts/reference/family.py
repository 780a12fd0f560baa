"""The words in which a family module describes its models: taps, mistakes, and shared pieces."""

import contextlib
import dataclasses
import sys
from collections.abc import Callable

import torch

VOCABULARY = 97


@dataclasses.dataclass(frozen=True)
class Tap:
    """Where a site is read: at a module, before or after its `call`-th call of a pass.

    `read` gets (module, args, kwargs, output) and returns the value; output is None before.
    """

    module: torch.nn.Module
    read: Callable
    before: bool = False
    call: int = 0


def _first(args, kwargs):
    return args[0] if args else next(v for v in kwargs.values() if isinstance(v, torch.Tensor))


def _same(value):
    return value


def input_of(module, change=_same, call=0):
    """The first argument of a module; `change` may cut or reshape it."""
    return Tap(module, lambda _, args, kwargs, __: change(_first(args, kwargs)), True, call)


def output_of(module, change=_same, call=0, number=0):
    """The result of a module, the one of this number where there are several."""
    pick = lambda value: value[number] if isinstance(value, tuple) else value
    return Tap(module, lambda _, __, ___, output: change(pick(output)), False, call)


def heads_of(project, heads):
    """The input of the output projection, cut into heads: [1, position, heads, headWidth]."""
    return input_of(project, lambda value: value.view(*value.shape[:2], heads, -1))


def part(number, count):
    """Cuts the part `number` of `count` equal ones out of a fused projection."""
    return lambda value: value.chunk(count, -1)[number]


def blocks(layers, describe):
    """The taps of all blocks. `describe(block)` gives {"attention.output": Tap, …}.

    `residual.before` and `residual.after` are the block's input and output unless it says else.
    A block that stands in `layers` several times is read at one call after the other.
    """
    found = {}
    layers = list(layers)
    for index, block in enumerate(layers):
        call = sum(other is block for other in layers[:index])
        own = {"residual.before": input_of(block), "residual.after": output_of(block)}
        for name, tap in (own | describe(block)).items():
            room, site = name.split(".")
            found[f"{room}.{index}.{site}"] = dataclasses.replace(tap, call=tap.call + call)
    return found


def source(model):
    """The module of transformers that the model is written in."""
    return sys.modules[type(model).__module__]


@contextlib.contextmanager
def replaced(target, **values):
    """Sets attributes of a module, class or object for the length of a `with`."""
    old = {name: getattr(target, name) for name in values}
    for name, value in values.items():
        setattr(target, name, value)
    try:
        yield
    finally:
        for name, value in old.items():
            setattr(target, name, value)


def eager_attention(modules):
    """Records query, key, value and pattern where the family calls `eager_attention_forward`.

    `modules` are the attention modules in the order of their calls, once for each layer.
    """

    @contextlib.contextmanager
    def recording(model, record):
        eager = source(model).eager_attention_forward
        calls = []

        def attend(module, query, key, value, *args, **kwargs):
            context, pattern = eager(module, query, key, value, *args, **kwargs)
            assert module is modules[len(calls)], "attention ran in another order"
            for site, tensor in zip(
                ("query", "key", "value", "pattern"), (query, key, value, pattern)
            ):
                record(f"attention.{len(calls)}.{site}", tensor)
            calls.append(module)
            return context, pattern

        with replaced(source(model), eager_attention_forward=attend):
            yield
        assert len(calls) == len(modules), "an attention module did not run"

    return recording


# Mistakes


@dataclasses.dataclass(frozen=True)
class Mistake:
    """One thing done wrong to the right model. Every step is optional, and works in place.

    config(dict): config.json before the model is built. state(dict): weights by name.
    model(module): the finished model. inputs(dict): the arguments of the forward pass.
    around(model): a context manager in which the forward pass runs.
    """

    config: Callable | None = None
    state: Callable | None = None
    model: Callable | None = None
    inputs: Callable | None = None
    around: Callable | None = None


def config_is(**changes):
    """Other values in config.json; a dictionary changes the dictionary there, None removes."""

    def merge(config, new):
        for key, value in new.items():
            if isinstance(value, dict) and isinstance(config.get(key), dict):
                merge(config[key], value)
            elif value is None:
                config.pop(key, None)
            else:
                config[key] = value

    return Mistake(config=lambda config: merge(config, changes))


def rope_base():
    """The rope base four times too large, wherever config.json says it."""

    def enlarge(section):
        for key, value in section.items():
            if isinstance(value, dict):
                enlarge(value)
            elif "rope_theta" in key or key in ("rotary_emb_base", "rope_local_base_freq"):
                section[key] = 4 * value

    def check(section):
        before = repr(section)
        enlarge(section)
        assert repr(section) != before, "no rope base in config.json"

    return Mistake(config=check)


def no_rope_scaling():
    """Rope as if config.json said nothing but its base."""

    def unscaled(old):
        if all(isinstance(value, dict) for value in old.values()):  # one for each kind of layer
            return {kind: unscaled(value) for kind, value in old.items()}
        kept = {key: old[key] for key in ("rope_theta", "partial_rotary_factor") if key in old}
        return kept | {"rope_type": "default"}

    def drop(config):
        config.pop("rope_scaling", None)
        if "rope_parameters" in config:
            config["rope_parameters"] = unscaled(config["rope_parameters"])

    return Mistake(config=drop)


def after(modules, change):
    """`change(module, output)` takes the place of the output of the modules."""

    def edit(model):
        for module in modules(model):
            module.register_forward_hook(lambda module, _, output: change(module, output))

    return Mistake(model=edit)


def twice(modules):
    """The modules are applied to their own output once more: a norm doubled."""
    return after(modules, lambda module, output: module.forward(output))


def skipped(modules):
    """The modules return what they receive."""

    def edit(model):
        for module in modules(model):
            module.register_forward_hook(lambda _, args, __: args[0])

    return Mistake(model=edit)


def swapped_heads(taps):
    """Heads 0 and 1 change places before the output projection."""

    def edit(model):
        for name, tap in taps(model).items():
            if not name.endswith(".heads") or tap.call > 0:
                continue

            def swap(module, args, tap=tap):
                cut = tap.read(module, args, {}, None)
                order = [1, 0, *range(2, cut.shape[2])]
                return (cut[:, :, order].reshape(args[0].shape), *args[1:])

            tap.module.register_forward_pre_hook(swap)

    return Mistake(model=edit)


def without_biases(names=("bias",)):
    """Every weight whose name ends so is zero."""

    def edit(state):
        found = [name for name in state if name.endswith(tuple(names))]
        assert found, names
        for name in found:
            state[name] = torch.zeros_like(state[name])

    return Mistake(state=edit)


def sequential(parts):
    """The feed-forward network of a parallel block is given the stream after attention instead.

    `parts(model)` gives (block, attention, feed-forward, its norm) of every block.
    """

    def edit(model):
        for block, attention, network, norm in parts(model):
            seen = {}

            def before(_, args, kwargs, seen=seen):
                seen["residual"] = _first(args, kwargs)

            def attended(_, __, output, seen=seen):
                seen["attention"] = output[0] if isinstance(output, tuple) else output

            def enter(_, args, seen=seen, norm=norm):
                return (norm.forward(seen["residual"] + seen["attention"]), *args[1:])

            block.register_forward_pre_hook(before, with_kwargs=True)
            attention.register_forward_hook(attended)
            network.register_forward_pre_hook(enter)

    return Mistake(model=edit)


def reordered(name, order):
    """`order(weight)` takes the place of every weight whose name contains `name`."""

    def edit(state):
        found = [key for key in state if name in key]
        assert found, name
        for key in found:
            state[key] = order(state[key])

    return Mistake(state=edit)


def _masks(visible):
    """Every mask the family makes is instead the one of `visible(count) -> bool [count, count]`."""

    @contextlib.contextmanager
    def around(model):
        def mask(*args, **kwargs):
            like = kwargs.get("inputs_embeds", args[1] if len(args) > 1 else None)
            count = like.shape[1]
            lowest = torch.finfo(like.dtype).min
            return torch.zeros(count, count, dtype=like.dtype).masked_fill(
                ~visible(count), lowest
            )[None, None]

        made = {name: mask for name in vars(source(model)) if _makes_mask(name)}
        assert made, "the family makes its masks by other functions"
        with replaced(source(model), **made):
            yield

    return Mistake(around=around)


def _makes_mask(name):
    return name.startswith("create_") and name.endswith("_mask") and name != "create_mask"


def no_causal_mask():
    """Every position sees every other: the causal mask (and any window) is dropped."""
    return _masks(lambda count: torch.ones(count, count, dtype=torch.bool))


def causal_mask():
    """For encoders: a position sees itself and what is before it."""
    return _masks(lambda count: torch.ones(count, count, dtype=torch.bool).tril())


def interleaved_groups():
    """Query head h reads key-value head h mod groups instead of h div group size."""

    def around(model):
        return replaced(source(model), repeat_kv=lambda value, count: value.repeat(1, count, 1, 1))

    return Mistake(around=around)
