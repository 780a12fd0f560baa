"""SmolLM2 as transformers runs it, from the GGUF file: shared by the twin and the fixtures."""

import gguf
import torch
from transformers import LlamaConfig, LlamaForCausalLM

BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OUTSIDE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}


def metadata(reader):
    """The scalar metadata of the file, by key."""
    return {
        key: field.contents()
        for key, field in reader.fields.items()
        if field.types and field.types[0] != gguf.GGUFValueType.ARRAY
    }


def configuration(values):
    """What transformers needs to know, from the file's own metadata."""
    return LlamaConfig(
        vocab_size=values["llama.vocab_size"],
        hidden_size=values["llama.embedding_length"],
        intermediate_size=values["llama.feed_forward_length"],
        num_hidden_layers=values["llama.block_count"],
        num_attention_heads=values["llama.attention.head_count"],
        num_key_value_heads=values["llama.attention.head_count_kv"],
        max_position_embeddings=values["llama.context_length"],
        rms_norm_eps=values["llama.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": values["llama.rope.freq_base"]},
        tie_word_embeddings=True,
    )


def half_split(rows, heads):
    """Undoes the interleaving of rotated pairs that GGUF stores query and key rows in."""
    count, columns = rows.shape
    return rows.view(heads, count // heads // 2, 2, columns).transpose(1, 2).reshape(count, columns)


def weights(reader, config):
    """Every weight, dequantised to float32, under its transformers name."""
    state = {}
    for tensor in reader.tensors:
        value = torch.from_numpy(gguf.dequantize(tensor.data, tensor.tensor_type).copy()).float()
        if tensor.name in OUTSIDE:
            state[OUTSIDE[tensor.name]] = value
            continue
        _, index, part, _ = tensor.name.split(".")
        if part == "attn_q":
            value = half_split(value, config.num_attention_heads)
        elif part == "attn_k":
            value = half_split(value, config.num_key_value_heads)
        state[f"model.layers.{index}.{BLOCK[part]}.weight"] = value.contiguous()
    state.setdefault("lm_head.weight", state["model.embed_tokens.weight"])
    return state


def load(path, attention="sdpa"):
    """The model in float32, ready to run, its weights out of autograd's sight."""
    reader = gguf.GGUFReader(path)
    config = configuration(metadata(reader))
    config._attn_implementation = attention
    # No time is spent on random weights: the modules are made empty and given the real ones.
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    model.load_state_dict(weights(reader, config), assign=True)
    model.tie_weights()
    model.model.rotary_emb = type(model.model.rotary_emb)(config)
    return model.eval().requires_grad_(False)


def tokenizer(path):
    """The tokenizer in the file: byte-level BPE, each digit on its own."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE

    reader = gguf.GGUFReader(path)
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(m.split(" ")) for m in reader.fields["tokenizer.ggml.merges"].contents()]
    made = Tokenizer(BPE({token: index for index, token in enumerate(tokens)}, merges))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    made.decoder = decoders.ByteLevel()
    return made
