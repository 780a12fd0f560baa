"""The tiny random models: their config.json as the two generations of transformers write it."""

import json

import torch
from safetensors.torch import save_file

VOCABULARY = 97
SEQUENCES = [[5, 17, 96, 3, 41, 17, 0, 60, 29], [88, 2, 2, 71, 33, 9]]


def llama(**changes):
    """A Llama config.json in the spelling of transformers 4: `rope_theta` at the top."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": 24,
        "initializer_range": 0.02,
        "intermediate_size": 36,
        "max_position_embeddings": 64,
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "transformers_version": "4.46.3",
        "use_cache": True,
        "vocab_size": VOCABULARY,
        **changes,
    }


def llama5(rope_parameters, **changes):
    """The same in the spelling of transformers 5: `rope_parameters`, `dtype`."""
    config = llama(head_dim=6, **changes)
    for key in ("rope_scaling", "rope_theta", "torch_dtype"):
        del config[key]
    config |= {"dtype": "float32", "pad_token_id": None, "transformers_version": "5.9.0"}
    return config | {"rope_parameters": rope_parameters}


QWEN2 = {
    "architectures": ["Qwen2ForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 24,
    "initializer_range": 0.02,
    "intermediate_size": 36,
    "max_position_embeddings": 64,
    "max_window_layers": 2,
    "model_type": "qwen2",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0,
    "sliding_window": 4096,
    "tie_word_embeddings": True,
    "torch_dtype": "float32",
    "transformers_version": "4.43.1",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": VOCABULARY,
}

MISTRAL = {
    "architectures": ["MistralForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "dtype": "float32",
    "eos_token_id": 2,
    "head_dim": 8,
    "hidden_act": "silu",
    "hidden_size": 24,
    "initializer_range": 0.02,
    "intermediate_size": 36,
    "max_position_embeddings": 64,
    "model_type": "mistral",
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-05,
    "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
    "sliding_window": 4,
    "tie_word_embeddings": False,
    "transformers_version": "5.9.0",
    "use_cache": True,
    "vocab_size": VOCABULARY,
}

GPT2 = {
    "activation_function": "gelu_new",
    "architectures": ["GPT2LMHeadModel"],
    "attn_pdrop": 0.1,
    "bos_token_id": 96,
    "embd_pdrop": 0.1,
    "eos_token_id": 96,
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-05,
    "model_type": "gpt2",
    "n_ctx": 32,
    "n_embd": 24,
    "n_head": 4,
    "n_inner": None,
    "n_layer": 3,
    "n_positions": 32,
    "resid_pdrop": 0.1,
    "summary_activation": None,
    "summary_first_dropout": 0.1,
    "summary_proj_to_labels": True,
    "summary_type": "cls_index",
    "summary_use_proj": True,
    "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
    "vocab_size": VOCABULARY,
}

LLAMA3_ROPE = {
    "factor": 4.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    "original_max_position_embeddings": 8,
    "rope_type": "llama3",
}

# name: (config.json, seed of the weights, how the weights are stored)
FIXTURES = {
    "llama-grouped-untied": (
        llama(
            num_attention_heads=6,
            head_dim=8,
            num_hidden_layers=3,
            tie_word_embeddings=False,
        ),
        1,
        "one file",
    ),
    "llama-tied": (llama5({"rope_theta": 500.0, "rope_type": "default"}), 21, "one file"),
    "llama3-rope-scaling": (llama(rope_scaling=LLAMA3_ROPE), 20, "one file"),
    "llama3-rope-parameters": (llama5(LLAMA3_ROPE | {"rope_theta": 10000.0}), 20, "one file"),
    "llama-linear-rope": (llama(rope_scaling={"factor": 3.0, "type": "linear"}), 20, "one file"),
    "llama-biases": (
        llama(attention_bias=True, mlp_bias=True, tie_word_embeddings=False),
        5,
        "one file",
    ),
    "llama-sharded": (llama(tie_word_embeddings=False), 6, "two shards"),
    "llama-bfloat16-stored": (llama(torch_dtype="bfloat16"), 21, "bfloat16"),
    "qwen2": (QWEN2, 21, "one file"),
    "mistral-window": (MISTRAL, 21, "one file"),
    "gpt2": (GPT2 | {"n_inner": 40}, 24, "one file"),
    "gpt2-bare-names": (GPT2 | {"n_layer": 2}, 112, "bare names"),
}


def draw(model, seed):
    """Weights that hide nothing: norms away from 1, biases away from 0, attention not uniform."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, old in sorted(model.state_dict().items()):
        noise = torch.randn(old.shape, generator=generator, dtype=torch.float64)
        # Larger weights would make float32 itself lose more than the tests allow.
        if "norm" in name or ".ln_" in name:
            value = 0.2 * noise + (1.2 if name.endswith("weight") else 0.0)
        elif name.endswith("bias"):
            value = 0.3 * noise
        elif "embed_tokens" in name or "wte" in name:
            value = 0.4 * noise
        else:
            value = 0.2 * noise
        state[name] = value.float()
    if model.config.tie_word_embeddings:
        embedding = next(n for n in state if "embed_tokens" in n or "wte" in n)
        state["lm_head.weight"] = state[embedding]
    return state


def store(folder, config, state, layout):
    """Writes config.json and the weights; returns the weights as a reader will see them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    if layout == "bfloat16":
        state = {name: value.bfloat16() for name, value in state.items()}
    stored = {name: value.contiguous() for name, value in state.items()}
    if config.get("tie_word_embeddings", config["model_type"] == "gpt2"):
        del stored["lm_head.weight"]
    if layout == "bare names":
        # The oldest published checkpoints: no `transformer.` prefix, causal masks as weights.
        stored = {name.removeprefix("transformer."): value for name, value in stored.items()}
        context = config["n_ctx"]
        for layer in range(config["n_layer"]):
            mask = torch.ones(context, context).tril().view(1, 1, context, context)
            stored[f"h.{layer}.attn.bias"] = mask.contiguous()
    metadata = {"format": "pt"}
    if layout == "two shards":
        names = sorted(stored)
        shards = {
            "model-00001-of-00002.safetensors": names[::2],
            "model-00002-of-00002.safetensors": names[1::2],
        }
        for file, own in shards.items():
            save_file({name: stored[name] for name in own}, folder / file, metadata)
        size = sum(value.numel() * value.element_size() for value in stored.values())
        index = {
            "metadata": {"total_size": size},
            "weight_map": {name: file for file, own in shards.items() for name in own},
        }
        text = json.dumps(index, indent=2, sort_keys=True) + "\n"
        (folder / "model.safetensors.index.json").write_text(text)
    else:
        save_file(stored, folder / "model.safetensors", metadata)
    return {name: value.float() for name, value in state.items()}
