"""Qwen 2 with a mixture of experts, and one expert with a gate of its own that all tokens use."""

import torch

from ..family import VOCABULARY, after, config_is, without_biases
from .llama import common_mistakes, recording
from .mixtral import expert_mistakes, mixtures, published, taps

__all__ = ["recording", "taps"]


def checkpoint(state, config):
    return published(state, up="up_proj", gate="gate_proj", down="down_proj", room="mlp")


QWEN2_MOE = {
    "architectures": ["Qwen2MoeForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "decoder_sparse_step": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 24,
    "initializer_range": 0.02,
    "intermediate_size": 20,
    "max_position_embeddings": 64,
    "max_window_layers": 2,
    "model_type": "qwen2_moe",
    "moe_intermediate_size": 10,
    "norm_topk_prob": False,
    "num_attention_heads": 4,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "output_router_logits": False,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0,
    "router_aux_loss_coef": 0.001,
    "shared_expert_intermediate_size": 14,
    "sliding_window": 64,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.39.0.dev0",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": VOCABULARY,
}


def mistakes(config):
    shared = lambda model: [mlp.shared_expert for mlp in mixtures(model)]
    gates = lambda model: [mlp.shared_expert_gate for mlp in mixtures(model)]
    return (
        common_mistakes(taps)
        | expert_mistakes()
        | {
            "biases": without_biases(),
            "router": config_is(norm_topk_prob=True),
            "sharedExpert": after(shared, lambda _, output: torch.zeros_like(output)),
            "sharedGate": after(gates, lambda _, output: torch.full_like(output, 100)),
        }
    )


FIXTURES = {"qwen2-moe": (QWEN2_MOE, 1, "one file")}
