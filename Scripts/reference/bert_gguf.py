"""Writes Tests/Fixtures/models/*.gguf: reference encoders as llama.cpp's converter would write them."""

import json

import gguf
import numpy as np
from safetensors.numpy import load_file

# The encoder alone is converted; RoBERTa loses the rows that no token takes.
SOURCES = ["bert", "roberta-headless", "distilbert-headless"]
DROPPED = ("cls.", "pooler.", "embeddings.position_ids")


def write(path, folder):
    config = json.loads((folder / "config.json").read_text())
    distilled = config["model_type"] == "distilbert"
    layers = config["n_layers" if distilled else "num_hidden_layers"]
    unused = config["pad_token_id"] + 1 if config["model_type"] == "roberta" else 0
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name(folder.name)
    writer.add_block_count(layers)
    writer.add_context_length(config["max_position_embeddings"] - unused)
    writer.add_embedding_length(config["dim" if distilled else "hidden_size"])
    writer.add_feed_forward_length(config["hidden_dim" if distilled else "intermediate_size"])
    writer.add_head_count(config["n_heads" if distilled else "num_attention_heads"])
    writer.add_layer_norm_eps(config.get("layer_norm_eps", 1e-12))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, layers)
    for name, value in sorted(load_file(folder / "model.safetensors").items()):
        name = name.removeprefix("bert.").replace(".gamma", ".weight").replace(".beta", ".bias")
        if name.startswith(DROPPED):
            continue
        if unused and name == "embeddings.position_embeddings.weight":
            value = value[unused:]
        found = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert found is not None, name
        writer.add_tensor(found, np.ascontiguousarray(value, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def make(root):
    for name in SOURCES:
        path = root / f"{name}.gguf"
        write(path, root / name)
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")
