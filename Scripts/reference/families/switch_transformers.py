"""The encoder of Switch Transformers: T5 with a mixture of experts in some blocks.

As in T5 the first block's bias by distance serves every block: the published models were trained so.
transformers 5 lost it on the way from block to block (its blocks return the state alone), so that all
but the first run without one. Here it is handed on, as in transformers 4.
"""

import contextlib

import torch

from ..family import Mistake, Tap, output_of
from . import t5
from .t5 import CAUSAL, SEQUENCES, checkpoint, relative, relative_mistakes, relative_taps

__all__ = ["CAUSAL", "SEQUENCES", "checkpoint"]

MODEL = "SwitchTransformersEncoderModel"


def taps(model):
    return relative_taps(model, network)


@contextlib.contextmanager
def recording(model, record):
    """T5's, with the first block's bias handed to the others."""
    first, *others = [block.layer[0].SelfAttention for block in model.encoder.block]
    kept = {}
    keep = lambda module, args, kwargs, output: kept.update(position_bias=output[1])
    give = lambda module, args, kwargs: (args, kwargs | kept)
    hooks = [first.register_forward_hook(keep, with_kwargs=True)]
    if not getattr(model, "bias_of_first_block_only", False):
        hooks += [other.register_forward_pre_hook(give, with_kwargs=True) for other in others]
    try:
        with t5.recording(model, record):
            yield
    finally:
        for hook in hooks:
            hook.remove()


def first_block_only(model):
    model.bias_of_first_block_only = True


def network(block):
    module = block.layer[1].mlp
    if not block.is_sparse:
        return t5.network(module)
    return {
        "feedForward.router": output_of(module.router.classifier, lambda value: value[None]),
        "feedForward.experts": Tap(module.experts, shares),
        "feedForward.output": output_of(module),
    }


def shares(module, args, kwargs, output):
    """Each expert's weighted share, zero where it is not chosen: [1, position, experts, width]."""
    states, chosen, weights = args
    return torch.stack(
        [
            chosen[:, 0, index, None] * weights * module[f"expert_{index}"](states)
            for index in range(module.num_experts)
        ],
        1,
    )[None]


def routed_by(change):
    """`change(router, chosen, weights)` gives others: one expert's mark, and its probability."""

    def edit(model):
        for block in model.encoder.block:
            if block.is_sparse:
                block.layer[1].mlp.router.register_forward_hook(
                    lambda router, _, output: (output[0], *change(router, *output[1:]))
                )

    return Mistake(model=edit)


def next_expert(router, chosen, weights):
    return chosen.roll(1, -1), weights


def unweighted(router, chosen, weights):
    return chosen, torch.ones_like(weights)


def mistakes(config):
    found = relative_mistakes(taps)
    kept = ("mask", "norm", "heads", "scale", "no bias", "turned")
    activation = lambda config: config.update(dense_act_fn="gelu_new")
    return {name: found[name] for name in kept} | {
        "activation": Mistake(config=activation),
        "bias of the first block only": Mistake(model=first_block_only),
        "expert": routed_by(next_expert),
        "weights": routed_by(unweighted),
    }


def draw(name, noise):
    """Routers that use every expert, and none with certainty."""
    return 0.5 * noise if name.endswith("classifier.weight") else t5.draw(name, noise)


FIXTURES = {
    "switch-transformers": (
        relative(
            add_router_probs=False,
            architectures=["SwitchTransformersForConditionalGeneration"],
            batch_prioritized_routing=False,
            d_ff=20,
            decoder_sparse_step=1,
            dense_act_fn="relu",
            encoder_sparse_step=2,
            expert_capacity=2,
            feed_forward_proj="relu",
            is_gated_act=False,
            model_type="switch_transformers",
            num_experts=3,
            num_sparse_decoder_layers=1,
            num_sparse_encoder_layers=1,
            router_aux_loss_coef=0.001,
            router_bias=False,
            router_dtype="float32",
            router_ignore_padding_tokens=False,
            router_jitter_noise=0.01,
            router_type="tokens_masked",
            router_z_loss_coef=0.001,
            tie_word_embeddings=True,
        ),
        1,
        "one file",
    ),
}
