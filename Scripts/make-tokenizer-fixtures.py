#!/usr/bin/env python3
"""Makes Tests/Fixtures/tokenization: a corpus, small tokenizers, and the ids that the reference
implementation (Hugging Face `tokenizers`) gives; chat templates and what Jinja renders them to.

    python3 Scripts/make-tokenizer-fixtures.py MODEL.gguf [Tests/Fixtures/tokenization]

MODEL.gguf is SmolLM2-135M-Instruct; the folder all-MiniLM-L6-v2 may stand beside it. Their vocabularies
are not copied, only the ids of the corpus.
Needs: tokenizers, transformers, sentencepiece, gguf, jinja2. The result depends on nothing but their versions (versions.json).
"""

import datetime
import json
import random
import sys
import unicodedata
from pathlib import Path

import gguf
import jinja2
import sentencepiece
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers
from transformers.utils.chat_template_utils import _compile_jinja_template as compile_template

from reference.tokenizers_of_every_kind import kinds, results

SEED = 20240229
LINES = 1400
TODAY = datetime.datetime(2025, 3, 7, 9, 5, tzinfo=datetime.timezone.utc)

WORDS = """the of and to in is that for it was on as with be by this had not are but from or have an
they which one you were all her she there would their we him been has when who will no more if out
so up said what its about than into them can only other time new some could these two may first then
do any like my now over such our man me even most made after also did many off before must well back
through years where much your way down should because long each just state people those too mister
little good world make very year still see work life become here old both between being under three
never know same last another while us might great go come since against right came take used himself
few house American use place during high without again home around small however found mrs part
school thought went say general once upon government city Paris Berlin Tokyo Ottawa transformer layer
attention residual stream prediction logit unembedding gradient baseline neuron""".split()

CONTRACTIONS = ["I'm", "you're", "he's", "we've", "they'll", "I'd", "don't", "IT'S", "WE'VE",
                "She'Ll", "y'all'd've", "rock'n'roll", "'tis", "it\u2019s", "d'accord", "'S", "o'\u017f",
                "it'\u017f", "'re", "'RE", "''s", "a'b", "'", "'d'm't"]

CODE = [
    "def f(x: int) -> int:\n    return x ** 2  # squared\n",
    "for (int i = 0; i < n; ++i) {\n\tsum += a[i] * b[i];\n}",
    "let x = values.map { $0 * 2 }.filter { $0 > 10 }",
    "SELECT * FROM users WHERE id = 42 AND name LIKE '%son';",
    "<div class=\"row\"><a href='https://example.org/a?b=c&d=%20e#f'>link</a></div>",
    "git commit -m \"fix: don't crash\" && git push origin HEAD:main",
    "if __name__ == '__main__':\n    main()",
    "#include <stdio.h>\r\n\r\nint main(void) { printf(\"%d\\n\", 0x1F); return 0; }\r\n",
    "{\"key\": [1, 2.5, -3e10, null, true], \"nested\": {\"a\": \"\\u00e9\"}}",
    "\\begin{equation}\n  \\sum_{i=1}^{n} x_i^2 = \\frac{1}{2}\n\\end{equation}",
    "x = y if z else w; print(f'{x:>10.3f}')",
    "async fn main() -> Result<(), Box<dyn Error>> { Ok(()) }",
    "0xDEADBEEF 0b1010 1_000_000 3.14159 6.022e23 1e-9 NaN -inf",
    "README.md ../src/main.rs ~/.config C:\\Users\\x\\file.txt",
    "a+=b;c-=d;e*=f;g/=h;i%=j;k<<=l;m>>=n;o&=p;q|=r;s^=t;",
    "\t\tindented\n\t\t\tmore\n        spaces\n\n\n    end",
]

PHRASES = [
    "Größe, Straße, Übermut und Ärger", "L'été à la plage, où ça?", "¿Dónde está el niño?",
    "Zażółć gęślą jaźń", "Příliš žluťoučký kůň", "Țară și oraș", "İstanbul ığdır", "Ελληνικά γράμματα",
    "Быстрая коричневая лиса", "Український текст їжак", "Հայերեն լեզու", "ქართული ენა",
    "שלום עולם", "עִבְרִית מְנֻקֶּדֶת", "مرحبا بالعالم", "اللُّغَةُ العَرَبِيَّة", "فارسی می‌نویسم", "اردو زبان",
    "नमस्ते दुनिया", "क्षत्रिय हिन्दी में", "বাংলা ভাষা", "தமிழ் மொழி", "తెలుగు భాష", "ಕನ್ನಡ", "മലയാളം",
    "ภาษาไทยไม่มีช่องว่าง", "ພາສາລາວ", "မြန်မာဘာသာ", "ភាសាខ្មែរ", "བོད་སྐད", "አማርኛ ቋንቋ",
    "你好，世界！", "我喜欢学习机器学习。", "繁體中文測試", "こんにちは世界", "カタカナとひらがな", "半角ｶﾀｶﾅ",
    "한국어 텍스트 처리", "𠜎𠜱𠝹𠱓", "ᚠᛇᚻ᛫ᛒᛦᚦ", "ᏣᎳᎩ", "Tiếng Việt có dấu", "Íslenska þ ð",
    "१२३४५ ١٢٣٤٥ ๑๒๓ 〇一二三", "Ⅷ ⅻ ½ ¾ ² ³ ₁ ₂ ①②③ ㊿", "ﬁ ﬂ ﬃ Å Å Ω Ω K K",
    "e\u0301 a\u0308 o\u0302\u0301 n\u0303 c\u0327\u0301", "q\u0307\u0323 q\u0323\u0307", "\u0301lead",
    "\u1100\u1161\u11a8 \u1112\u1161\u11ab", "Z\u0361\u0300\u0315A\u0334\u0321L\u0335G\u0336O\u0337",
    "\uac00\u11a8 \u0958 \u2126 \u212b \ufb1d \uf900 \u0340\u0341 \u2adc",
    "zero\u200bwidth\u200cnon\u200djoiner\ufeffbom\u2060", "soft\u00adhyphen non\u00a0breaking\u202fthin\u2009",
    "left\u200eright\u200f\u202aemb\u202c\u2066iso\u2069", "line\u2028sep para\u2029sep nel\u0085x",
    "a\u3000b\u2003c\u1680d\u205fe", "\ufffd \ufffe \uffff \U0001ffff \U0010ffff \ue000 \U000f0000",
]

EMOJI = ["😀", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇫🇷🇩🇪", "1️⃣", "❤️", "👩🏿‍🚀", "🤷‍♀️", "☃", "🧑‍🤝‍🧑", "🀄", "©️™", "→⇒∀∃∈", "𝒳𝓎𝟛"]

SPECIAL = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|begin_of_text|>", "<|eot_id|>",
           "<tool_call>", "</tool_call>", "<mask>", "<s>", "</s>", "[word]", "<|im_", "<|", "|>",
           "<|im_start|", "im_end|>", "<|im_end|><|im_end|>", "<|IM_END|>"]

SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", " \n", "\n ", " \n \n ", "\t\t\t", "\r", "\v\f",
          "    ", "\u00a0", "\u3000", " \u00a0 ", "\u2003\u2003", "\u0085", " \t \n\t ", "\n\n\n\n"]


def corpus(rng):
    old = unicodedata.ucd_3_2_0
    assigned = [chr(c) for c in range(0x80, 0x30000)
                if old.category(chr(c)) not in ("Cn", "Cs", "Co")
                and old.category(chr(c)) == unicodedata.category(chr(c))]
    lines = ["", " ", "  ", "\n", "\t", "\r\n", "a", " a", "  a", "a ", "a  ", "a\n", "\n\na", "é", "\x00",
             "\x7f", "'s", "Hello, world!", "The capital of France is", "1234567890", " 1 12 123 1234",
             "a" * 300, "ab" * 400, " " * 257, "\n" * 129, "\t" * 65, "-" * 200, "9" * 120, "é" * 100,
             "字" * 90, "👨‍👩‍👧‍👦" * 20, " a" * 100, "! " * 50, "x\n" * 40, "supercalifragilisticexpialidocious" * 9,
             "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3,
             "\x04\x06\x13\x14", "!\x06!", "a\x04b \x16 c", "\x00\x01\x02\x03", "\x1b[31mred\x1b[0m",
             "\U00040000 \U00080000 \U000c0000x", "=" * 49, "ha" * 24, "ha" * 25, "aaa " * 30]
    lines += CONTRACTIONS + CODE + PHRASES + EMOJI + SPECIAL
    lines += [" ".join(CONTRACTIONS), "".join(EMOJI), " ".join(EMOJI), "".join(SPECIAL), " ".join(SPECIAL)]
    lines += ["<|im_start|>system\nYou are helpful.<|im_end|>\n<|im_start|>user\nHi!<|im_end|>\n",
              "word[word]word [word] [word]s é[word] _[word]", " <mask>  x", "x <mask> y", "<mask>\n\n<mask>",
              "A<s>B", "  <s>  ", "caf\u0065\u0301 <tool_call> e\u0301<|im_end|>e\u0301"]

    def sentence():
        words = [rng.choice(WORDS) for _ in range(rng.randint(2, 12))]
        if rng.random() < 0.3:
            words[rng.randrange(len(words))] = rng.choice(CONTRACTIONS)
        text = " ".join(words)
        return (text[0].upper() + text[1:] + rng.choice([".", "!", "?", "...", ";", ""]))

    def number():
        return rng.choice([
            lambda: str(rng.randrange(10 ** rng.randint(1, 12))),
            lambda: f"{rng.random() * 1000:.{rng.randint(0, 6)}f}",
            lambda: f"{rng.randint(1, 28)}/{rng.randint(1, 12)}/{rng.randint(1900, 2100)}",
            lambda: f"${rng.randrange(10 ** 7):,}.00", lambda: hex(rng.randrange(1 << 40)),
            lambda: f"{rng.randint(1, 99)}%", lambda: f"v{rng.randint(0, 9)}.{rng.randint(0, 99)}b{rng.randint(0, 9)}",
        ])()

    def noise():
        return "".join(rng.choice(assigned) for _ in range(rng.randint(1, 12)))

    def controls():
        return "".join(chr(rng.randrange(32)) for _ in range(rng.randint(1, 6)))

    def ascii_noise():
        return "".join(chr(rng.randrange(32, 127)) for _ in range(rng.randint(1, 30)))

    parts = [sentence, sentence, number, lambda: rng.choice(CODE), lambda: rng.choice(PHRASES),
             lambda: rng.choice(PHRASES), lambda: rng.choice(EMOJI), lambda: rng.choice(SPACES),
             lambda: rng.choice(SPECIAL), noise, noise, controls, ascii_noise]
    while len(lines) < LINES:
        glue = rng.choice(["", " ", "", rng.choice(SPACES)])
        line = glue.join(rng.choice(parts)() for _ in range(rng.choice([1, 1, 2, 2, 3, 4])))
        lines.append(line[:160])
    return lines


GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")


def byte_level(**options):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, **options)


def train(lines, pre_tokenizer, size, alphabet=None, normalizer=None, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet() if alphabet is None else alphabet)
    # With a limited alphabet, training must not add the characters that are to be missing.
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, limit_alphabet=len(alphabet),
                                  show_progress=False, special_tokens=[model["unk_token"]] if "unk_token" in model else [])
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def without(missing):
    """The byte-level alphabet without some bytes."""
    alphabet = set(pre_tokenizers.ByteLevel.alphabet())
    table = dict(zip([*range(33, 127), *range(161, 173), *range(174, 256)],
                     [chr(c) for c in [*range(33, 127), *range(161, 173), *range(174, 256)]]))
    rest = [b for b in range(256) if b not in table]
    table.update({b: chr(256 + i) for i, b in enumerate(rest)})
    return alphabet - {table[b] for b in missing}


def special(text, **options):
    return AddedToken(text, special=True, normalized=False, **options)


def small_tokenizers(lines):
    """Name, tokenizer, and how its file is changed after training."""
    gpt2 = train(lines, byte_level(use_regex=True), 1200)
    gpt2.post_processor = processors.ByteLevel(trim_offsets=True)
    gpt2.add_special_tokens([special("<|endoftext|>")])

    def join_merges(data):
        data["model"]["merges"] = [" ".join(merge) for merge in data["model"]["merges"]]
    yield "gpt2", gpt2, join_merges

    missing = [0x04, 0x06, 0x13, 0x14, 0x16, 0xC0, 0xC1, 0xF1, 0xF2, *range(0xF5, 0x100)]
    digits = train(lines, pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                   byte_level(use_regex=True)]), 1100, without(missing))
    digits.add_special_tokens([special("<|endoftext|>"), special("<|im_start|>"), special("<|im_end|>")])
    yield "digits", digits, None

    llama3 = train(lines, pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                                                   byte_level(use_regex=False)]), 1500)
    llama3.add_special_tokens([special("<|begin_of_text|>"), special("<|end_of_text|>"), special("<|eot_id|>")])
    begin = llama3.token_to_id("<|begin_of_text|>")
    llama3.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=True),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A $B",
                                      special_tokens=[("<|begin_of_text|>", begin)])])

    def ignore_merges(data):
        # Without every seventh merge some tokens can be reached only whole.
        data["model"]["merges"] = [m for i, m in enumerate(data["model"]["merges"]) if i % 7]
        data["model"]["ignore_merges"] = True
    yield "llama3", llama3, ignore_merges

    qwen2 = train(lines, pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated"),
                                                  byte_level(use_regex=False)]), 1500,
                  normalizer=normalizers.NFC())
    qwen2.post_processor = processors.ByteLevel(trim_offsets=False)
    qwen2.add_special_tokens([special("<|endoftext|>"), special("<|im_start|>"), special("<|im_end|>")])
    qwen2.add_tokens([AddedToken("<tool_call>", normalized=False), AddedToken("</tool_call>", normalized=False)])
    yield "qwen2", qwen2, None

    prefix = train(lines, pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=False),
                                                   pre_tokenizers.ByteLevel(add_prefix_space=True)]),
                   900, without(missing), unk_token="<unk>", fuse_unk=True)
    prefix.add_special_tokens([special("<s>"), special("</s>", rstrip=True),
                               special("<mask>", lstrip=True)])
    prefix.add_tokens([AddedToken("[word]", single_word=True, normalized=True)])
    yield "prefix", prefix, None


def smollm2(path):
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), byte_level(use_regex=True)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([special(t) for t, kind in zip(tokens, types) if kind == 3])
    return tokenizer, fields["tokenizer.chat_template"].contents()


def encode(tokenizer, lines):
    """Ids with special tokens as text, and, where it differs, with special tokens found."""
    tokenizer.encode_special_tokens = True
    plain = [tokenizer.encode(line, add_special_tokens=False).ids for line in lines]
    tokenizer.encode_special_tokens = False
    found = [tokenizer.encode(line, add_special_tokens=False).ids for line in lines]
    differing = {str(i): b for i, (a, b) in enumerate(zip(plain, found)) if a != b}
    return {"ids": plain, "special": differing}


def write_minilm(folder, lines, path):
    if path.exists():
        write(folder / "minilm.reference.json", results({**json.loads(path.read_text(encoding="utf-8")), "truncation": None, "padding": None}, lines))


def write(path, value, **options):
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":"), **options) + "\n", encoding="utf-8")


class Refusal(jinja2.exceptions.TemplateError):
    """What `raise_exception` raises: the template's own words."""


def refuse(message):
    raise Refusal(message)


def render(source, case):
    """Renders in the environment of Hugging Face transformers, on a day that never changes."""
    template = compile_template(source)
    names = template.environment.globals
    names["raise_exception"] = refuse
    if case.get("dated", True):
        names["strftime_now"] = TODAY.strftime
    else:
        names.pop("strftime_now", None)
    variables = {"bos_token": "<s>", "eos_token": "</s>", "tools": None, "documents": None}
    try:
        return {"text": template.render(
            messages=case["messages"], add_generation_prompt=case["add_generation_prompt"],
            **variables | case.get("variables", {}))}
    except Refusal as error:
        return {"refusal": str(error)}
    except (jinja2.exceptions.TemplateError, TypeError, AttributeError, KeyError, ValueError) as error:
        return {"error": str(error)}


def main():
    model = sys.argv[1]
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else "Tests/Fixtures/tokenization")
    folder.mkdir(parents=True, exist_ok=True)
    lines = corpus(random.Random(SEED))
    write(folder / "corpus.json", lines)
    for name, tokenizer, change in small_tokenizers(lines):
        data = json.loads(tokenizer.to_str())
        if change:
            change(data)
        write(folder / f"{name}.tokenizer.json", data)
        reference = Tokenizer.from_file(str(folder / f"{name}.tokenizer.json"))
        write(folder / f"{name}.ids.json", encode(reference, lines))
    for name, tokenizer, change in kinds(lines):
        data = json.loads(tokenizer.to_str())
        if change:
            change(data)
        write(folder / f"{name}.tokenizer.json", data)
        write(folder / f"{name}.reference.json", results(data, lines))
    write_minilm(folder, lines, Path(model).parent / "all-MiniLM-L6-v2" / "tokenizer.json")
    tokenizer, template = smollm2(model)
    write(folder / "smollm2.ids.json", encode(tokenizer, lines))

    templates = folder / "templates"
    templates.mkdir(exist_ok=True)
    (templates / "smollm2.jinja").write_text(template, encoding="utf-8")
    cases = json.loads((templates / "cases.json").read_text(encoding="utf-8"))
    outputs = {}
    for path in sorted(templates.glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        outputs[path.stem] = {name: render(source, case) for name, case in cases.items()}
    (templates / "outputs.json").write_text(
        json.dumps(outputs, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    write(folder / "versions.json", {"tokenizers": tokenizers.__version__, "jinja2": jinja2.__version__,
                                     "sentencepiece": sentencepiece.__version__,
                                     "seed": SEED, "lines": len(lines)})


if __name__ == "__main__":
    main()
