#!/usr/bin/env python3
"""A forward pass of every family as transformers runs it, on random models of one size.

    .venv/bin/python Benchmarks/Reference/families_twin.py --model FOLDER --threads 2

FOLDER receives the models, each saved as its family's checkpoints are (config.json and safetensors), so
that both sides run the same weights. It reads one JSON object a line, as iglens_twin.py does.

    {"task": "families"}                            -> names, and which of them have a head
    {"task": "make", "family": "llama"}             makes the model, keeps it -> folder
    {"task": "forward", "family": "llama", "ids": [...]}
        logits of every position, or the last hidden states of a model without a head
"""

import pathlib

import protocol  # first: it sets what transformers reads when it is imported
import torch
import transformers

transformers.utils.logging.disable_progress_bar()

WIDTH, LAYERS, HEADS, GROUPS, HIDDEN, VOCABULARY = 512, 6, 8, 2, 1408, 4096

DECODER = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": GROUPS,
    "intermediate_size": HIDDEN,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": True,
}
ENCODER = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": HIDDEN,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 514,
}
WINDOWED = {"sliding_window": 64}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": HIDDEN // 2}

# family: (the class, what its configuration says)
FAMILIES = {
    "gpt2": (
        "GPT2LMHeadModel",
        {"n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "vocab_size": VOCABULARY},
    ),
    "llama": ("LlamaForCausalLM", DECODER),
    "smollm3": ("SmolLM3ForCausalLM", DECODER | {"pad_token_id": 0}),
    "mistral": ("MistralForCausalLM", DECODER | WINDOWED),
    "qwen2": ("Qwen2ForCausalLM", DECODER),
    "qwen3": ("Qwen3ForCausalLM", DECODER | {"head_dim": 64}),
    "gemma": ("GemmaForCausalLM", DECODER | {"head_dim": 64}),
    "gemma2": ("Gemma2ForCausalLM", DECODER | WINDOWED | {"head_dim": 64}),
    "gemma3_text": ("Gemma3ForCausalLM", DECODER | WINDOWED | {"head_dim": 64}),
    "phi3": ("Phi3ForCausalLM", DECODER | {"pad_token_id": 0}),
    "olmo2": ("Olmo2ForCausalLM", DECODER),
    "gpt_neox": ("GPTNeoXForCausalLM", ENCODER | {"tie_word_embeddings": False}),
    "falcon": (
        "FalconForCausalLM",
        {
            "hidden_size": WIDTH,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "vocab_size": VOCABULARY,
            "alibi": False,
            "new_decoder_architecture": False,
            "multi_query": True,
            "parallel_attn": True,
            "bias": False,
        },
    ),
    "stablelm": ("StableLmForCausalLM", DECODER),
    "mixtral": (
        "MixtralForCausalLM",
        DECODER | {"num_local_experts": 4, "num_experts_per_tok": 2},
    ),
    "qwen3_moe": ("Qwen3MoeForCausalLM", DECODER | EXPERTS | {"head_dim": 64}),
    "mamba": (
        "MambaForCausalLM",
        {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "vocab_size": VOCABULARY},
    ),
    "bert": ("BertForMaskedLM", ENCODER),
    "roberta": ("RobertaForMaskedLM", ENCODER),
    "xlm-roberta": ("XLMRobertaForMaskedLM", ENCODER),
    "camembert": ("CamembertForMaskedLM", ENCODER),
    "electra": ("ElectraForMaskedLM", ENCODER | {"embedding_size": WIDTH}),
    "albert": ("AlbertForMaskedLM", ENCODER | {"embedding_size": 128}),
    "distilbert": (
        "DistilBertForMaskedLM",
        {
            "dim": WIDTH,
            "n_layers": LAYERS,
            "n_heads": HEADS,
            "hidden_dim": HIDDEN,
            "vocab_size": VOCABULARY,
        },
    ),
    "mpnet": ("MPNetForMaskedLM", ENCODER),
    "deberta": (
        "DebertaForMaskedLM",
        ENCODER | {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    ),
    "deberta-v2": (
        "DebertaV2ForMaskedLM",
        ENCODER
        | {
            "relative_attention": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_buckets": 256,
            "share_att_key": True,
            "norm_rel_ebd": "layer_norm",
            "position_biased_input": False,
        },
    ),
    "modernbert": (
        "ModernBertForMaskedLM",
        ENCODER | {"pad_token_id": 0, "cls_token_id": 1, "sep_token_id": 2},
    ),
    "switch_transformers": (
        "SwitchTransformersEncoderModel",
        {
            "d_model": WIDTH,
            "d_ff": HIDDEN,
            "d_kv": WIDTH // HEADS,
            "num_layers": LAYERS,
            "num_sparse_encoder_layers": LAYERS // 2,
            "num_heads": HEADS,
            "num_experts": 4,
            "vocab_size": VOCABULARY,
        },
    ),
}


class Models:
    """The models of one folder, made when first asked for; the last one is kept in memory."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.held = None

    def get(self, family):
        if self.held is None or self.held[0] != family:
            name, settings = FAMILIES[family]
            kind = getattr(transformers, name)
            path = self.folder / family
            if not (path / "config.json").exists():
                torch.manual_seed(1)
                made = kind(kind.config_class(**settings)).eval()
                made.save_pretrained(path)
            self.held = family, kind.from_pretrained(path).eval().requires_grad_(False)
        return self.held[1]


def families(models, request):
    return {"families": list(FAMILIES)}


def make(models, request):
    models.get(request["family"])
    return {"folder": str(models.folder / request["family"])}


@torch.no_grad()
def forward(models, request):
    ids = torch.tensor([request["ids"]])
    model = models.get(request["family"])
    causal = hasattr(model.config, "use_cache") and request["family"] != "switch_transformers"
    output = model(ids, use_cache=False) if causal else model(ids)
    found = output.logits if "logits" in output else output.last_hidden_state
    return {"last": found[0, -1, :8].tolist()}


if __name__ == "__main__":
    protocol.serve(
        __doc__.splitlines()[0], {"families": families, "make": make, "forward": forward}, Models
    )
