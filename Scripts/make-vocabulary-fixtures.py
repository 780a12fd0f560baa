#!/usr/bin/env python3
"""Makes the SentencePiece models and GGUF vocabularies of Tests/Fixtures/tokenization, and the ids
that the reference implementations give for the corpus.

    python3 Scripts/make-vocabulary-fixtures.py [Tests/Fixtures/tokenization]

Run after make-tokenizer-fixtures.py, whose corpus and small tokenizers it reads. Models are trained
on that corpus in one thread, so that the result depends on nothing but the versions.
Needs: sentencepiece, protobuf, tokenizers, gguf.
"""

import io
import json
import sys
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import gguf
import numpy as np
import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

# Small stand-ins for the published tables of replacements: longer matches win, one character may
# become several, several one, and some vanish.
RULES = {
    "\u00a0": " ", "\u2003": " ", "\u3000": " ", "\t": " ", "\n": " ", "\r": " ", "\u200b": "",
    "ﬁ": "fi", "ﬀ": "ff", "Ａ": "A", "ｂ": "b", "é": "é", "e\u0301": "é", "…": "...", "½": "1⁄2",
    "…!": "?!", "ß": "ss", "①": "1", "\x7f": "", "👍🏽": "👍", "\u2019": "'",
}

# Name, and how the model is trained. The settings are those of the families.
MODELS = {
    # XLM-R, CamemBERT, T5: Unigram, a table of replacements, spaces tidied.
    "unigram": dict(model_type="unigram", vocab_size=900, user_defined_symbols=["<sep>"]),
    "t5": dict(model_type="unigram", vocab_size=700, pad_id=0, eos_id=1, unk_id=2, bos_id=-1),
    # Llama and Mistral: BPE by scores, bytes for the rest, spaces kept.
    "llama": dict(model_type="bpe", vocab_size=1100, byte_fallback=True, split_digits=True,
                  remove_extra_whitespaces=False, allow_whitespace_only_pieces=True,
                  normalization_rule_name="identity"),
    # Gemma: the same without a space in front, with pieces added by hand.
    "gemma": dict(model_type="bpe", vocab_size=1000, byte_fallback=True, split_digits=True,
                  pad_id=0, eos_id=1, bos_id=2, unk_id=3, add_dummy_prefix=False,
                  remove_extra_whitespaces=False, allow_whitespace_only_pieces=True,
                  normalization_rule_name="identity", bos_piece="<bos>", eos_piece="<eos>",
                  control_symbols=["<start_of_turn>", "<end_of_turn>"],
                  user_defined_symbols=["<mask>", "\n\n", "\n", "[word]"]),
    # BPE without bytes: characters that are not in the vocabulary are unknown.
    "pairs": dict(model_type="bpe", vocab_size=600, character_coverage=0.98),
}


def train(name, lines, rules, **options):
    options = {"hard_vocab_limit": False, "character_coverage": 1.0, "num_threads": 1,
               "minloglevel": 2, "input_sentence_size": 0, **options}
    if "normalization_rule_name" not in options:
        options["normalization_rule_tsv"] = rules
    writer = io.BytesIO()
    spm.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=writer, **options)
    model = proto.ModelProto.FromString(writer.getvalue())
    # Paths and the rules as text are of no use in a fixture.
    model.trainer_spec.ClearField("input")
    model.normalizer_spec.ClearField("normalization_rule_tsv")
    model.trainer_spec.ClearField("model_prefix")
    return model


def exact(processor, model, line):
    """The ids of a line, or None where only the rounding of float32 sums decides between divisions.

    SentencePiece adds scores in float32. Where another division has the same sum but for rounding
    (300 times the same letter), what it gives is no property of the model.
    """
    ids = processor.encode(line)
    if model.trainer_spec.model_type != 1:
        return ids
    score = np.array([p.score for p in model.pieces], dtype=np.float64)
    unknown = model.trainer_spec.unk_id
    reference = Tokenizer(models.Unigram([(p.piece if p.type == 1 else f"\x00{i}", p.score)
                                          for i, p in enumerate(model.pieces)], unk_id=unknown))
    other = reference.encode(processor.normalize(line)).ids
    ties = ids != other and unknown not in ids and abs(score[ids].sum() - score[other].sum()) < 1e-3
    return None if ties else ids


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def write_gguf(path, architecture, kind, tokens, cls=None, **fields):
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_tokenizer_model(kind)
    writer.add_token_list(tokens)
    if cls is not None:
        writer.add_uint32("tokenizer.ggml.cls_token_id", cls)
    for name, value in fields.items():
        getattr(writer, "add_" + name)(value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def write_sentencepiece_gguf(path, architecture, kind, model, **fields):
    pieces = model.pieces
    write_gguf(path, architecture, kind, [p.piece.encode("utf-8") for p in pieces],
               token_scores=[p.score for p in pieces], token_types=[int(p.type) for p in pieces],
               add_space_prefix=model.normalizer_spec.add_dummy_prefix,
               remove_extra_whitespaces=model.normalizer_spec.remove_extra_whitespaces, **fields)


def word_pieces(lines):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    # The reference's own training depends on the order of a hash table: take frequent parts instead.
    words = Counter(word for line in lines for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(
        tokenizer.normalizer.normalize_str(line)))
    letters = Counter(c for word, count in words.items() for c in word for _ in range(count))
    characters = sorted(c for c, count in letters.items() if count > 9)
    starts, ends = Counter(), Counter()
    for word, count in words.items():
        for cut in range(2, min(len(word), 9) + 1):
            starts[word[:cut]] += count
            ends["##" + word[-cut:]] += count
    frequent = [p for parts in (starts, ends)
                for p, _ in sorted(parts.items(), key=lambda item: (-item[1] * len(item[0]), item[0]))[:250]]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *("##" + c for c in characters),
              *sorted(frequent)]
    tokenizer.model = models.WordPiece({t: i for i, t in enumerate(tokens)}, unk_token="[UNK]")
    return tokenizer, tokens


def phantom(token):
    if token.startswith("[") and token.endswith("]") and len(token) > 1:
        return token
    return token[2:] if token.startswith("##") else "▁" + token


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "Tests/Fixtures/tokenization")
    lines = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
    # Models know the characters that recur; the others of the corpus are to be unknown to them.
    counts = Counter(c for line in lines for c in line)
    training = ["".join(c for c in line if counts[c] > 9 and c not in "\x00\n") for line in lines]
    out = folder / "vocabularies"
    out.mkdir(exist_ok=True)
    trained = {}
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="utf-8") as rules:
        for source, target in RULES.items():
            rules.write(" ".join(f"{ord(c):X}" for c in source) + "\t"
                        + " ".join(f"{ord(c):X}" for c in target) + "\n")
        rules.flush()
        for name, options in MODELS.items():
            model = trained[name] = train(name, training, rules.name, **options)
            data = model.SerializeToString(deterministic=True)
            (out / f"{name}.model").write_bytes(data)
            processor = spm.SentencePieceProcessor(model_proto=data)
            write_json(out / f"{name}.ids.json", [exact(processor, model, line) for line in lines])

    write_sentencepiece_gguf(out / "llama.gguf", "llama", "llama", trained["llama"],
                             bos_token_id=1, eos_token_id=2, unk_token_id=0, add_bos_token=True,
                             add_eos_token=False)
    write_sentencepiece_gguf(
        out / "t5.gguf", "t5", "t5", trained["t5"],
        precompiled_charsmap=trained["t5"].normalizer_spec.precompiled_charsmap,
        eos_token_id=1, unk_token_id=2, pad_token_id=0, add_bos_token=False, add_eos_token=True)

    tokenizer, tokens = word_pieces(lines)
    write_json(out / "bert.ids.json", [tokenizer.encode(line).ids for line in lines])
    write_gguf(out / "bert.gguf", "bert", "bert", [phantom(t) for t in tokens],
               token_types=[3 if i < 5 else 1 for i in range(len(tokens))],
               pad_token_id=0, unk_token_id=1, cls=2, sep_token_id=3, mask_token_id=4)

    for name, pre in [("gpt2", "gpt-2"), ("qwen2", "qwen2"), ("digits", "smollm"), ("llama3", "llama-bpe")]:
        data = json.loads((folder / f"{name}.tokenizer.json").read_text(encoding="utf-8"))
        size = max(max(data["model"]["vocab"].values()), max((t["id"] for t in data["added_tokens"]), default=0)) + 1
        tokens, kinds = [f"[PAD{i}]" for i in range(size)], [5] * size
        for token, index in data["model"]["vocab"].items():
            tokens[index], kinds[index] = token, 1
        for token in data["added_tokens"]:
            tokens[token["id"]], kinds[token["id"]] = token["content"], 3 if token["special"] else 4
        merges = [m if isinstance(m, str) else " ".join(m) for m in data["model"]["merges"]]
        write_gguf(out / f"{name}.gguf", "llama", "gpt2", tokens, token_types=kinds, token_merges=merges,
                   tokenizer_pre=pre)
    write_json(out / "versions.json", {name: version(name) for name in ["sentencepiece", "gguf", "tokenizers"]})


if __name__ == "__main__":
    main()
