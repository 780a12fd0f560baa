"""Small tokenizers as the families of published models configure theirs, trained on the corpus.

Each is one function that returns a trained `tokenizers.Tokenizer`; KINDS names them.
"""

import base64
import copy
import json
import math
import re
import struct
import tempfile
from collections import Counter
from pathlib import Path

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers

SPACE = "\u2581"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def special(text, **options):
    return AddedToken(text, special=True, normalized=False, **options)


def pair(first, last, kind="template"):
    """A post-processor that puts one token before a text and one after."""
    (a, i), (b, j) = first, last
    if kind == "bert":
        return processors.BertProcessing((b, j), (a, i))
    if kind == "roberta":
        return processors.RobertaProcessing((b, j), (a, i), trim_offsets=False, add_prefix_space=False)
    return processors.TemplateProcessing(single=f"{a} $A {b}", pair=f"{a} $A {b} $B {b}",
                                         special_tokens=[(a, i), (b, j)])


def familiar(lines):
    """Lines to train on: without special tokens, which are no text, and without rare characters, which
    would become tokens and are to be unknown."""
    counts = Counter(character for line in lines for character in set(line))
    return [line for line in lines if all(counts[character] > 9 for character in line)
            and not any(mark in line for mark in ("<|", "|>", "<s>", "</", "<mask>", "<tool"))]


def best_parts(words, size, mark, longest=12):
    """Parts of words that spare the most letters, each with its count; those of equal merit by their
    spelling. `mark` spells a part that does not begin its word.

    The reference's own training depends on the order of a hash table, or of threads.
    """
    counts = Counter()
    for word in words:
        for i in range(len(word)):
            for j in range(i + 1, min(len(word), i + longest) + 1):
                counts[(mark if i else "") + word[i:j]] += 1
    letters = sorted(part for part in counts if len(part.removeprefix(mark)) == 1)
    parts = sorted(set(counts) - set(letters), key=lambda part: (-counts[part] * (len(part) - 1), part))
    return [(part, counts[part]) for part in letters + parts[:size - len(letters)]]


# MARK: WordPiece

def word_piece(lines, first, *, size=1200, template="template", longest=100, **normalizer):
    """BERT and its kin; `first` are the special tokens in order: unknown, padding, begin, end, mask."""
    unknown, _, begin, end, _ = first
    normal = normalizers.BertNormalizer(**normalizer)
    split = pre_tokenizers.BertPreTokenizer()
    words = [word for line in familiar(lines) for word, _ in split.pre_tokenize_str(normal.normalize_str(line))]
    parts = [part for part, _ in best_parts(words, size - len(first), "##")]
    vocabulary = {token: i for i, token in enumerate([*first, *parts])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=unknown, max_input_chars_per_word=longest))
    tokenizer.normalizer = normal
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.add_special_tokens([special(t) for t in first[:4]] + [special(first[4], lstrip=True)])
    tokenizer.post_processor = pair((begin, vocabulary[begin]), (end, vocabulary[end]), template)
    return tokenizer


def bert(lines):
    return word_piece(lines, ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]"], longest=20)


def bert_cased(lines):
    return word_piece(lines, ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]"], template="bert", lowercase=False)


def mpnet(lines):
    tokenizer = word_piece(lines, ["[UNK]", "<pad>", "<s>", "</s>", "<mask>"], template="roberta",
                           strip_accents=False, handle_chinese_chars=False)
    tokenizer.add_tokens([AddedToken("[word]", single_word=True, normalized=True), AddedToken("ÉTÉ", normalized=True)])
    return tokenizer


# MARK: Unigram

def character_map(lines):
    """A SentencePiece table: its own rules nmt_nfkc, but only for the characters of the corpus."""
    import unicodedata
    rules = {}
    for character in sorted(set("".join(lines))):
        code = ord(character)
        if code in (0, 0x20):
            continue
        if code < 0x20 and character not in "\t\n\f\r" or code in (0x7F, 0x8F, 0x9F):
            rules[character] = ""
        elif character in "\t\n\f\r\u1680\u200b\u200e\u200f\u2028\u2029\ufeff\ufffd":
            rules[character] = " "
        else:
            normal = unicodedata.normalize("NFKC", character)
            if normal != character:
                rules[character] = normal
    for composed in sorted(set(unicodedata.normalize("NFC", "".join(lines)))):
        parts = unicodedata.normalize("NFD", composed)
        if len(parts) > 1 and unicodedata.normalize("NFC", parts) == composed and not "\uac00" <= composed <= "\ud7a3":
            rules[parts] = unicodedata.normalize("NFKC", composed)
    hexadecimal = lambda text: " ".join(f"{ord(c):X}" for c in text)
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "rules.tsv"
        table.write_text("".join(f"{hexadecimal(a)}\t{hexadecimal(b)}\n" for a, b in rules.items()))
        text = Path(folder) / "text.txt"
        text.write_text("\n".join(line for line in lines if line.isascii() and line.strip()))
        sentencepiece.SentencePieceTrainer.Train(
            input=str(text), model_prefix=f"{folder}/model", vocab_size=300, model_type="unigram", minloglevel=2,
            normalization_rule_tsv=str(table), hard_vocab_limit=False)
        proto = sentencepiece_model(f"{folder}/model.model")
    return proto.normalizer_spec.precompiled_charsmap


def sentencepiece_model(path):
    from sentencepiece import sentencepiece_model_pb2
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(Path(path).read_bytes())
    return proto


def unigram(lines, specials, unknown, normalizer, pre_tokenizer, size=1200, **decoder):
    words = [word for line in familiar(lines)
             for word, _ in pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(line))]
    parts = best_parts(words, size - len(specials), "")
    total = sum(count for _, count in parts)
    scores = [(part, round(math.log(count / total), 4)) for part, count in parts]
    tokenizer = Tokenizer(models.Unigram([(token, 0.0) for token in specials] + scores, specials.index(unknown), False))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.Metaspace(**decoder)
    tokenizer.add_special_tokens([special(t) for t in specials])
    return tokenizer


def wrap(tokenizer, begin, end, **options):
    tokenizer.post_processor = pair((begin, tokenizer.token_to_id(begin)), (end, tokenizer.token_to_id(end)), **options)
    return tokenizer


def xlm_roberta(lines, table):
    tokenizer = unigram(lines, ["<s>", "<pad>", "</s>", "<unk>"], "<unk>", normalizers.Precompiled(table),
                        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(),
                                                 pre_tokenizers.Metaspace(prepend_scheme="always")]))
    tokenizer.add_special_tokens([special("<mask>", lstrip=True)])
    return wrap(tokenizer, "<s>", "</s>")


def camembert(lines):
    tokenizer = unigram(lines, ["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<s>", "</s>", "<mask>"], "<unk>",
                        normalizers.Sequence([normalizers.Replace(Regex(r"\s{2,}|[\n\r\t]"), " "),
                                              normalizers.Strip(left=False, right=True)]),
                        pre_tokenizers.Metaspace(prepend_scheme="first"), prepend_scheme="first")
    return wrap(tokenizer, "<s>", "</s>")


def albert(lines, table):
    tokenizer = unigram(lines, ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"], "<unk>",
                        normalizers.Sequence([normalizers.Replace("``", '"'), normalizers.Replace("''", '"'),
                                              normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(),
                                              normalizers.Precompiled(table), normalizers.Replace(Regex(" {2,}"), " ")]),
                        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]))
    return wrap(tokenizer, "[CLS]", "[SEP]")


def deberta_v2(lines, table):
    tokenizer = unigram(lines, ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"], "[UNK]",
                        normalizers.Sequence([normalizers.Strip(), normalizers.Precompiled(table),
                                              normalizers.Replace(Regex(" {2,}"), " ")]),
                        pre_tokenizers.Sequence([pre_tokenizers.Punctuation(behavior="isolated"),
                                                 pre_tokenizers.Metaspace(prepend_scheme="first")]),
                        prepend_scheme="first")
    return wrap(tokenizer, "[CLS]", "[SEP]")


def t5(lines, table):
    """Switch Transformers: Unigram without words apart, here with the bytes of what has no token."""
    tokenizer = unigram(lines, ["<pad>", "</s>", "<unk>", *BYTES], "<unk>",
                        normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(),
                                              normalizers.Replace(Regex(" {2,}"), " ")]),
                        pre_tokenizers.Metaspace(prepend_scheme="always"), size=1400)
    tokenizer.add_special_tokens([special(f"<extra_id_{i}>") for i in range(3)])
    end = tokenizer.token_to_id("</s>")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>",
                                                             special_tokens=[("</s>", end)])
    return tokenizer


def bytes_of_unknown(data):
    data["model"]["byte_fallback"] = True
    # Bytes are tokens like others there, and no special ones.
    data["added_tokens"] = [t for t in data["added_tokens"] if t["content"] not in BYTES]


# MARK: BPE over characters

def character_pairs(lines, specials, size, *, normalizer=None, training=None, **model):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, **model))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    # Words apart while training, as tokens of several words are of no use.
    tokenizer.pre_tokenizer = training or pre_tokenizers.Split(SPACE, "merged_with_next")
    tokenizer.train_from_iterator(familiar(lines), trainers.BpeTrainer(
        vocab_size=size, show_progress=False, special_tokens=[special(t) for t in specials]))
    tokenizer.pre_tokenizer = None
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    return tokenizer


def llama2(lines):
    tokenizer = character_pairs(lines, ["<unk>", "<s>", "</s>", *BYTES], 1300, byte_fallback=True)
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))])
    return tokenizer


def phi3(lines):
    """Llama 2's with tokens that take in the space after them."""
    tokenizer = llama2(lines)
    tokenizer.add_special_tokens([special("<|im_start|>", rstrip=True), special("<|im_end|>", rstrip=True)])
    tokenizer.add_tokens([AddedToken("</tool_call>", rstrip=True, lstrip=True, normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A", pair="$A $B", special_tokens=[])
    return tokenizer


def mistral(lines):
    """Metaspace before the first part only, with whole pieces taken as they are."""
    tokenizer = character_pairs(lines, ["<unk>", "<s>", "</s>", *BYTES], 1300, byte_fallback=True)
    tokenizer.normalizer = None
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.add_tokens([AddedToken("[word]", single_word=True, normalized=True)])
    return wrap(tokenizer, "<s>", "</s>")


def gemma(lines):
    tokenizer = character_pairs(lines, ["<pad>", "<eos>", "<bos>", "<unk>", *BYTES], 1300, byte_fallback=True,
                                training=pre_tokenizers.Split(Regex(SPACE + "+"), "merged_with_next"))
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_tokens([AddedToken("\n\n", normalized=False), AddedToken("\t\t\t", normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[("<bos>", tokenizer.token_to_id("<bos>"))])
    return tokenizer


def some_bytes(data):
    """Bytes are no special tokens; without those of rare characters these are unknown."""
    data["added_tokens"] = [t for t in data["added_tokens"] if t["content"] not in BYTES]


def unknown_characters(data):
    """Mistral's switch for whole pieces; and unknown tokens one by one."""
    some_bytes(data)
    data["model"]["ignore_merges"] = True
    data["model"]["fuse_unk"] = False
    data["model"]["byte_fallback"] = False


# MARK: Byte-level BPE

GPT4 = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+")


def byte_pairs(lines, pre_tokenizer, size=900, normalizer=None):
    tokenizer = Tokenizer(models.BPE())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False))
    return tokenizer


def roberta(lines):
    tokenizer = byte_pairs(lines, pre_tokenizers.ByteLevel(add_prefix_space=True))
    tokenizer.add_special_tokens([special("<s>"), special("<pad>"), special("</s>"), special("<mask>", lstrip=True)])
    return wrap(tokenizer, "<s>", "</s>", kind="roberta")


def modern_bert(lines):
    """ModernBERT and OLMo: NFC, and tokens of several spaces."""
    tokenizer = byte_pairs(lines, pre_tokenizers.ByteLevel(add_prefix_space=False), normalizer=normalizers.NFC())
    tokenizer.add_tokens([AddedToken(" " * n, normalized=False) for n in range(8, 1, -1)])
    tokenizer.add_special_tokens([special("[CLS]"), special("[SEP]"), special("[MASK]", lstrip=True)])
    return wrap(tokenizer, "[CLS]", "[SEP]")


def falcon(lines):
    tokenizer = byte_pairs(lines, pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation(behavior="contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")]))
    tokenizer.add_special_tokens([special("<|endoftext|>")])
    return tokenizer


def stable_lm(lines):
    tokenizer = byte_pairs(lines, pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(GPT4), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]))
    tokenizer.add_special_tokens([special("<|endoftext|>"), special("<|im_start|>"), special("<|im_end|>")])
    return tokenizer


def kinds(lines):
    """Name, tokenizer, and how its file is changed after training."""
    table = character_map(lines)
    yield "bert", bert(lines), None
    yield "bert-cased", bert_cased(lines), None
    yield "mpnet", mpnet(lines), None
    yield "xlm-roberta", xlm_roberta(lines, table), None
    yield "camembert", camembert(lines), None
    yield "albert", albert(lines, table), None
    yield "deberta-v2", deberta_v2(lines, table), None
    yield "t5", t5(lines, table), bytes_of_unknown
    yield "llama2", llama2(lines), some_bytes
    yield "phi3", phi3(lines), some_bytes
    yield "mistral", mistral(lines), unknown_characters
    yield "gemma", gemma(lines), some_bytes
    yield "roberta", roberta(lines), None
    yield "modernbert", modern_bert(lines), None
    yield "falcon", falcon(lines), None
    yield "stablelm", stable_lm(lines), None


# MARK: What the reference gives

def packed(numbers, form):
    return base64.b64encode(struct.pack(f"<{len(numbers)}{form}", *numbers)).decode()


def variable(number):
    """Seven bits a byte, the lowest first; the high bit says that more follow."""
    result = bytearray()
    while number > 0x7F:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    return result + bytes([number])


def hashed(text):
    """FNV-1a of the UTF-8 bytes, 32 bits."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def without_special_texts(data):
    """The same tokenizer with special tokens that no text spells: their usual spellings are text."""
    data = copy.deepcopy(data)
    texts = {}
    for n, token in enumerate(t for t in data["added_tokens"] if t["special"]):
        texts[token["content"]] = f"\U000F1234{n}\U000F1234"
        token["content"] = texts[token["content"]]
    model = data["model"]
    if isinstance(model["vocab"], list):
        model["vocab"] = [[texts.get(token, token), score] for token, score in model["vocab"]]
    else:
        model["vocab"] = {texts.get(token, token): i for token, i in model["vocab"].items()}
    if model.get("unk_token"):
        model["unk_token"] = texts.get(model["unk_token"], model["unk_token"])
    data["post_processor"] = None
    return Tokenizer.from_str(json.dumps(data))


def loses_place(data, line):
    """Where SentencePiece's table drops the first characters of a text, the reference still counts from
    the start: all its offsets are too small."""
    start = re.match(r"[\s\x00-\x1f\x7f]*", line).group()
    return "Precompiled" in json.dumps(data["normalizer"]) and any(c < " " and c not in "\t\n\f\r" for c in start)


def results(data, lines):
    """Ids of every line, offsets in bytes of every sixth, hashes of what the ids decode to.

    Post-processors trim offsets, so they are left out; what they put around a text is told apart.
    """
    plain = [without_special_texts(data).encode(line) for line in lines]
    whole = Tokenizer.from_str(json.dumps(data))
    around = whole.encode("a").ids
    inner = Tokenizer.from_str(json.dumps({**data, "post_processor": None}))
    middle = inner.encode("a").ids
    at = next(i for i in range(len(around)) if around[i:i + len(middle)] == middle)
    found = [inner.encode(line).ids for line in lines]
    offsets = bytearray()
    for line, encoding in list(zip(lines, plain))[::6]:
        starts = [0]
        for character in line:
            starts.append(starts[-1] + len(character.encode()))
        end = 0
        for first, last in encoding.offsets:
            offsets += variable(2 * abs(starts[first] - end) + (starts[first] < end))
            offsets += variable(starts[last] - starts[first])
            end = starts[last]
    return {
        "beginning": around[:at], "ending": around[at + len(middle):],
        "counts": packed([len(e.ids) for e in plain], "H"),
        "ids": packed([i for e in plain for i in e.ids], "H"),
        "special": {str(i): b for i, (a, b) in enumerate(zip(plain, found)) if a.ids != b},
        "lost": [i for i, line in enumerate(lines) if i % 6 == 0 and loses_place(data, line)],
        "offsets": base64.b64encode(bytes(offsets)).decode(),
        "decoded": packed([hashed(whole.decode(e.ids, skip_special_tokens=False)) for e in plain], "I"),
    }
