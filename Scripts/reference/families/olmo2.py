"""OLMo 2: no norm before a branch, one after it; norms over all heads of query and of key."""

from ..family import VOCABULARY, Mistake, blocks, heads_of, input_of, output_of, skipped
from .gemma2 import post_norms
from .llama import common_mistakes, gated, recording
from .qwen3 import head_norms

__all__ = ["recording"]


def taps(model):
    heads = model.config.num_attention_heads
    describe = lambda block: {
        "residual.middle": input_of(block.mlp),
        "attention.heads": heads_of(block.self_attn.o_proj, heads),
        "attention.output": output_of(block.post_attention_layernorm),
        **gated(block.mlp),
        "feedForward.output": output_of(block.post_feedforward_layernorm),
    }
    return blocks(model.model.layers, describe) | {"finalNorm": output_of(model.model.norm)}


OLMO2 = {
    "architectures": ["Olmo2ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 24,
    "initializer_range": 0.02,
    "intermediate_size": 20,
    "max_position_embeddings": 64,
    "model_type": "olmo2",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "pad_token_id": 1,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 500000,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
    "transformers_version": "4.47.0",
    "use_cache": True,
    "vocab_size": VOCABULARY,
}


def mistakes(config):
    def per_head(module, args, output):
        """The norm over each head apart instead of all of them together."""
        cut = args[0].unflatten(-1, (-1, 6))
        scale = (cut.pow(2).mean(-1, keepdim=True) + module.variance_epsilon).rsqrt()
        return module.weight * (cut * scale).flatten(-2)

    def edit(model):
        for block in model.model.layers:
            for norm in (block.self_attn.q_norm, block.self_attn.k_norm):
                norm.register_forward_hook(per_head)

    return common_mistakes(taps) | {
        "headNorms": head_norms(),
        "normPerHead": Mistake(model=edit),
        "postNorms": skipped(post_norms),
    }


FIXTURES = {"olmo2": (OLMO2, 1, "one file")}
