"""Writes a model of one small layer whose weights follow from a formula.

The self-test stores it in each type of tensor that copies of models have, since kernels differ by
type. Its rows have 256 elements, the smallest that all those types can hold.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (version 3).
"""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WIDTH = 256  # elements of a row, tokens of the vocabulary, and the feed-forward layer's size
HEADS = 4
CONTEXT = 256
_U32, _F32, _STRING = 4, 6, 8  # types of metadata
_TENSOR_F32 = 0
_ALIGNMENT = 32
_MATRICES = (
    "token_embd",
    "output",
    "blk.0.attn_q",
    "blk.0.attn_k",
    "blk.0.attn_v",
    "blk.0.attn_output",
    "blk.0.ffn_gate",
    "blk.0.ffn_up",
    "blk.0.ffn_down",
)
_NORMS = ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm")

Tensor = NDArray[np.float32]


def write(path: Path) -> None:
    """Write the model as a GGUF of 32-bit floats, the same bytes on every machine."""
    tensors = {f"{name}.weight": _matrix(seed) for seed, name in enumerate(_MATRICES, 1)}
    tensors |= {f"{name}.weight": np.ones(WIDTH, np.float32) for name in _NORMS}
    header = _header(tensors)
    with path.open("wb") as file:
        file.write(header)
        for tensor in tensors.values():
            file.write(b"\0" * (-file.tell() % _ALIGNMENT))
            file.write(tensor.astype("<f4").tobytes())


def _matrix(seed: int) -> Tensor:
    """Numbers of both signs up to 0.12, from a linear congruential generator."""
    state = np.uint64(seed * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF)
    index = np.arange(WIDTH * WIDTH, dtype=np.uint64)
    with np.errstate(over="ignore"):
        mixed = (index + state) * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    whole = (mixed >> np.uint64(40)).astype(np.float32) / np.float32(2**24)
    return ((whole - np.float32(0.5)) * np.float32(0.24)).reshape(WIDTH, WIDTH)


def _header(tensors: dict[str, Tensor]) -> bytes:
    numbers = {
        "context_length": CONTEXT,
        "embedding_length": WIDTH,
        "block_count": 1,
        "feed_forward_length": WIDTH,
        "attention.head_count": HEADS,
        "vocab_size": WIDTH,
    }
    pairs = [
        _text("general.architecture", "llama"),
        _text("tokenizer.ggml.model", "no_vocab"),
        _string("llama.attention.layer_norm_rms_epsilon") + struct.pack("<If", _F32, 1e-5),
        *(_string(f"llama.{key}") + struct.pack("<II", _U32, n) for key, n in numbers.items()),
    ]
    infos, offset = b"", 0
    for name, tensor in tensors.items():
        shape = struct.pack(f"<I{tensor.ndim}Q", tensor.ndim, *reversed(tensor.shape))
        infos += _string(name) + shape + struct.pack("<IQ", _TENSOR_F32, offset)
        offset += tensor.nbytes + -tensor.nbytes % _ALIGNMENT
    counts = struct.pack("<IQQ", 3, len(tensors), len(pairs))
    return b"GGUF" + counts + b"".join(pairs) + infos


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _text(key: str, value: str) -> bytes:
    return _string(key) + struct.pack("<I", _STRING) + _string(value)
