"""Mamba: a state space in place of attention; residual streams only."""

import torch

from ..family import VOCABULARY, blocks, config_is, output_of, reordered, twice


def taps(model):
    body = model.backbone
    return blocks(body.layers, lambda block: {}) | {"finalNorm": output_of(body.norm_f)}


def draw(name, noise):
    if name.endswith("A_log"):
        return 0.4 * noise + 0.3
    if name.endswith(".D"):
        return 0.3 * noise + 1
    if name.endswith("conv1d.weight"):
        return 0.5 * noise
    if name.endswith("dt_proj.bias"):
        return 0.5 * noise - 0.5
    return None


MAMBA = {
    "architectures": ["MambaForCausalLM"],
    "bos_token_id": 0,
    "conv_kernel": 4,
    "d_inner": 48,
    "d_model": 24,
    "eos_token_id": 0,
    "expand": 2,
    "fused_add_norm": True,
    "hidden_act": "silu",
    "hidden_size": 24,
    "initializer_range": 0.1,
    "intermediate_size": 48,
    "layer_norm_epsilon": 1e-05,
    "model_type": "mamba",
    "n_layer": 2,
    "num_hidden_layers": 2,
    "pad_token_id": 0,
    "pad_vocab_size_multiple": 8,
    "rescale_prenorm_residual": False,
    "residual_in_fp32": True,
    "rms_norm": True,
    "ssm_cfg": {},
    "state_size": 5,
    "time_step_floor": 0.0001,
    "time_step_init_scheme": "random",
    "time_step_max": 0.1,
    "time_step_min": 0.001,
    "time_step_rank": 3,
    "time_step_scale": 1.0,
    "torch_dtype": "float32",
    "transformers_version": "4.39.0.dev0",
    "use_bias": False,
    "use_cache": True,
    "use_conv_bias": True,
    "vocab_size": VOCABULARY,
}


def mistakes(config):
    rank, states = config["time_step_rank"], config["state_size"]

    def exchanged(weight):
        """The rows of B and of C take each other's place."""
        time, first, second = weight.split([rank, states, states])
        return torch.cat([time, second, first])

    return {
        "activation": config_is(hidden_act="gelu"),
        "convolution": reordered("conv1d.weight", lambda weight: weight.flip(-1)),
        "convolutionBias": reordered("conv1d.bias", torch.zeros_like),
        "decay": reordered("A_log", lambda weight: weight.abs().log()),
        "gate": reordered("in_proj", lambda weight: weight.roll(weight.shape[0] // 2, 0)),
        "inputOutput": reordered("x_proj", exchanged),
        "norm": twice(lambda model: [model.backbone.norm_f]),
        "skip": reordered(".D", torch.zeros_like),
        "timeStepBias": reordered("dt_proj.bias", torch.zeros_like),
    }


FIXTURES = {"mamba": (MAMBA, 1, "one file")}
