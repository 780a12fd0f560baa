"""Qwen 3 with a mixture of experts; the layers of `mlp_only_layers` have a plain network."""

from ..family import VOCABULARY, config_is
from .llama import common_mistakes, recording
from .mixtral import expert_mistakes, taps
from .qwen2_moe import checkpoint
from .qwen3 import head_norms

__all__ = ["checkpoint", "recording", "taps"]

QWEN3_MOE = {
    "architectures": ["Qwen3MoeForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "decoder_sparse_step": 1,
    "eos_token_id": 2,
    "head_dim": 8,
    "hidden_act": "silu",
    "hidden_size": 24,
    "initializer_range": 0.02,
    "intermediate_size": 20,
    "max_position_embeddings": 64,
    "max_window_layers": 2,
    "mlp_only_layers": [0],
    "model_type": "qwen3_moe",
    "moe_intermediate_size": 10,
    "norm_topk_prob": True,
    "num_attention_heads": 4,
    "num_experts": 5,
    "num_experts_per_tok": 3,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "output_router_logits": False,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 1000000.0,
    "router_aux_loss_coef": 0.001,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.51.0",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": VOCABULARY,
}


def mistakes(config):
    return (
        common_mistakes(taps)
        | expert_mistakes()
        | {"headNorms": head_norms(), "router": config_is(norm_topk_prob=False)}
    )


FIXTURES = {
    "qwen3-moe": (QWEN3_MOE, 1, "one file"),
    "qwen3-moe-all-layers": (QWEN3_MOE | {"mlp_only_layers": []}, 1, "one file"),
}
