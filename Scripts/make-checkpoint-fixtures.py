#!/usr/bin/env python3
"""Write Tests/Fixtures/checkpoints: small files of every format and the values they stand for.

    python3 -m pip install gguf==0.19.0 safetensors==0.8.0 numpy==2.4.6
    python3 Scripts/make-checkpoint-fixtures.py

The expected values are the `gguf` package's own dequantisation in float32. Running it again with
the same versions gives the same bytes; versions and seed are in provenance.json.
"""

import importlib.metadata
import json
import pathlib

import gguf
import numpy as np
import safetensors.numpy
from gguf import GGMLQuantizationType as Type
from gguf import GGUFValueType as Value

SEED = 20261121
FOLDER = pathlib.Path(__file__).resolve().parent.parent / "Tests/Fixtures/checkpoints"

# Where each block keeps its half-precision scale and offset.
HALVES = {
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0],
    Type.Q2_K: [80, 82], Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208],
}  # fmt: skip

# Ordinary, negative, both zeros, subnormal of both signs, the largest, the smallest normal.
SCALES = np.array(
    [0.0123, -0.37, 0.0, -0.0, 5.9604645e-08, -3.0517578e-05, 65504.0, -65504.0, 6.1035156e-05, 1.0],
    dtype=np.float16,
)


def random_blocks(generator, kind, rows, blocks_per_row):
    """Random bytes with scales that go through SCALES, in another order for offsets."""
    _, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = generator.integers(0, 256, (rows * blocks_per_row, size), dtype=np.uint8)
    for which, offset in enumerate(HALVES[kind]):
        for index in range(len(blocks)):
            # The first ten blocks have every scale, those after them random ordinary ones.
            if index < len(SCALES):
                half = SCALES[(index * (1 + 2 * which) + 3 * which) % len(SCALES)]
            else:
                half = np.float16(generator.normal(0, 0.05))
            blocks[index, offset : offset + 2] = np.frombuffer(half.tobytes(), dtype=np.uint8)
    return blocks.reshape(rows, blocks_per_row * size)


def write_blocks():
    """Every block type, and what it dequantises to."""
    generator = np.random.default_rng(SEED)
    writer = gguf.GGUFWriter(FOLDER / "blocks.gguf", "fixture")
    expected = {}
    for kind in HALVES:
        block, _ = gguf.GGML_QUANT_SIZES[kind]
        data = random_blocks(generator, kind, rows=4, blocks_per_row=3 if block == 256 else 4)
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        expected[kind.name] = gguf.quants.dequantize(data, kind).astype(np.float32)
    # Halves of every kind but NaN, whose bits no one promises.
    halves = generator.integers(0, 1 << 16, (5, 37), dtype=np.uint16)
    halves[0, :8] = [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x7BFF, 0x7C00, 0xFC00]
    halves[(halves & 0x7C00 == 0x7C00) & (halves & 0x3FF != 0)] = 0x3C00
    writer.add_tensor("F16", halves.view(np.float16))
    expected["F16"] = halves.view(np.float16).astype(np.float32)
    brains = generator.integers(0, 1 << 16, (3, 29), dtype=np.uint16)
    brains[(brains & 0x7F80 == 0x7F80) & (brains & 0x7F != 0)] = 0x3F80
    writer.add_tensor("BF16", brains.view(np.uint8).reshape(3, 58), raw_dtype=Type.BF16)
    expected["BF16"] = gguf.quants.dequantize(brains.view(np.uint8), Type.BF16).reshape(3, 29)
    singles = generator.normal(size=(2, 3, 5)).astype(np.float32)
    writer.add_tensor("F32", singles)
    expected["F32"] = singles
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    safetensors.numpy.save_file(expected, FOLDER / "blocks-expected.safetensors")


def write_metadata():
    """Metadata of every type, as version 3 and, with the same bytes but one, as version 2."""
    path = FOLDER / "version3.gguf"
    writer = gguf.GGUFWriter(path, "fixture")
    writer.add_uint8("u8", 200)
    writer.add_int8("i8", -100)
    writer.add_uint16("u16", 60000)
    writer.add_int16("i16", -30000)
    writer.add_uint32("u32", 4000000000)
    writer.add_int32("i32", -2000000000)
    writer.add_uint64("u64", 2**64 - 1)
    writer.add_int64("i64", -(2**63))
    writer.add_float32("f32", 0.1)
    writer.add_float64("f64", 0.1)
    writer.add_bool("yes", True)
    writer.add_bool("no", False)
    writer.add_string("text", "caf\u00e9")
    writer.add_key_value("bytes", b"\xff\xfe", Value.STRING)
    # The same word twice, composed and decomposed, and a token that is no UTF-8.
    tokens = ["caf\u00e9", "cafe\u0301", b"\x80", "", "\u0120the"]
    writer.add_array("tokenizer.ggml.tokens", tokens)
    writer.add_array("tokenizer.ggml.scores", [0.5, -1.0, 0.0, 2.0, -0.25])
    writer.add_array("tokenizer.ggml.token_type", [1, 1, 6, 3, 1])
    writer.add_array("flags", [True, False, True])
    writer.add_key_value("big", [2**64 - 1, 3], Value.ARRAY, sub_type=Value.UINT64)
    writer.add_key_value("small", [1, 2, 3], Value.ARRAY, sub_type=Value.UINT16)
    writer.add_key_value("doubles", [0.1, 1e300], Value.ARRAY, sub_type=Value.FLOAT64)
    writer.add_tensor("matrix", np.arange(6, dtype=np.float32).reshape(2, 3))
    writer.add_tensor("counts", np.array([[-3], [2**31 - 1]], dtype=np.int32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    data = bytearray(path.read_bytes())
    data[4] = 2
    (FOLDER / "version2.gguf").write_bytes(data)


def write_safetensors():
    """Every type of safetensors that NumPy has, a single number and an empty tensor."""
    tensors = {
        "f64": np.array([[0.1, -1e300], [5e-324, 3.0]]),
        "f32": np.array([0.1, -3e38, 1e-45], dtype=np.float32),
        "f16": np.array([0.1, -65504.0, 6e-8], dtype=np.float16),
        "i64": np.array([-(2**63), 2**53 + 1]),
        "i32": np.array([-(2**31), 2**24 + 1], dtype=np.int32),
        "i16": np.array([-32768, 7], dtype=np.int16),
        "i8": np.array([-128, 7], dtype=np.int8),
        "u8": np.array([255, 7], dtype=np.uint8),
        "bool": np.array([True, False, True]),
        "single": np.array(2.5, dtype=np.float32),
        "empty": np.zeros((3, 0), dtype=np.float32),
    }
    safetensors.numpy.save_file(tensors, FOLDER / "types.safetensors", metadata={"format": "np"})


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_blocks()
    write_metadata()
    write_safetensors()
    packages = ["gguf", "numpy", "safetensors"]
    provenance = {"script": "Scripts/make-checkpoint-fixtures.py", "seed": SEED}
    provenance |= {name: importlib.metadata.version(name) for name in packages}
    (FOLDER / "provenance.json").write_text(json.dumps(provenance, indent=2) + "\n")


if __name__ == "__main__":
    main()
