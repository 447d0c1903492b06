"""The header of a GGUF file, read with bounds because the file may be hostile.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little endian).
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO

MAGIC = b"GGUF"
VERSIONS = frozenset({2, 3})
MAX_PAIRS = 65_536
MAX_TENSORS = 262_144
MAX_ARRAY = 4_194_304
MAX_HEADER = 128 * 1024 * 1024  # bytes; the largest vocabularies take about 20
MAX_FILE = 1 << 50  # bytes
KEPT_STRING = 4_096  # longer strings, such as templates, are skipped
MAX_KEY = 65_535
MAX_DIMENSIONS = 4
MAX_ALIGNMENT = 1 << 20
DEFAULT_ALIGNMENT = 32

_SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_STRING = 8
_ARRAY = 9
_KEPT_ARRAY = 4_096

# Elements and bytes of a block, by ggml_type (ggml_blck_size and ggml_type_size of ggml 0.25).
_BLOCKS = {
    0: (1, 4),
    1: (1, 2),
    2: (32, 18),
    3: (32, 20),
    6: (32, 22),
    7: (32, 24),
    8: (32, 34),
    9: (32, 36),
    10: (256, 84),
    11: (256, 110),
    12: (256, 144),
    13: (256, 176),
    14: (256, 210),
    15: (256, 292),
    16: (256, 66),
    17: (256, 74),
    18: (256, 98),
    19: (256, 50),
    20: (32, 18),
    21: (256, 110),
    22: (256, 82),
    23: (256, 136),
    24: (1, 1),
    25: (1, 2),
    26: (1, 4),
    27: (1, 8),
    28: (1, 8),
    29: (256, 56),
    30: (1, 2),
    34: (256, 54),
    35: (256, 66),
    39: (32, 17),
    40: (64, 36),
    41: (128, 18),
    42: (64, 18),
}

# By llama_ftype of llama.cpp.
_FILE_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4",
}

Scalar = int | float | bool | str
Value = Scalar | list[Scalar]


class NotGgufError(Exception):
    """The file does not begin with a GGUF header that can be trusted."""


class TruncatedError(Exception):
    """The file ends before what its header announces; ``expected`` is in bytes."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        super().__init__(f"at least {expected} bytes expected")


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says: metadata (long values left out) and the bytes the file must have."""

    version: int
    metadata: dict[str, Value]
    tensor_count: int
    expected_size: int  # bytes
    tensor_bytes: int
    parameters: int = 0

    @property
    def architecture(self) -> str:
        """The name of the architecture, such as ``llama``; empty if there is none."""
        value = self.metadata.get("general.architecture", "")
        return value if isinstance(value, str) else ""

    @property
    def quantisation(self) -> str:
        """How most weights are stored, such as ``Q4_K_M``; ``?`` for a type made later."""
        kind = self.metadata.get("general.file_type")
        return _FILE_TYPES.get(kind, "?") if isinstance(kind, int) else "?"

    def integer(self, key: str, default: int = 0) -> int:
        """An integer of the architecture's metadata; of a list its largest element."""
        value = self.metadata.get(f"{self.architecture}.{key}", default)
        values = value if isinstance(value, list) else [value]
        numbers = [item for item in values if isinstance(item, int) and item >= 0]
        return max(numbers, default=default)


class _Reader:
    """Reads little-endian values and never past the end of the file or of the bound."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size
        self.position = 0

    def take(self, count: int) -> bytes:
        self._advance(count)
        data = self._file.read(count)
        if len(data) != count:
            raise TruncatedError(self.position)
        return data

    def skip(self, count: int) -> None:
        self._advance(count)
        self._file.seek(count, os.SEEK_CUR)

    def _advance(self, count: int) -> None:
        self.position += count
        if self.position > MAX_HEADER:
            raise NotGgufError("the header is too long")
        if self.position > self._size:
            raise TruncatedError(self.position)

    def integer(self, layout: str) -> int:
        return int(struct.unpack(layout, self.take(struct.calcsize(layout)))[0])

    def key(self) -> str:
        length = self.integer("<Q")
        if length > MAX_KEY:
            raise NotGgufError("a name is too long")
        return self.take(length).decode("utf-8", "replace")

    def string(self) -> str | None:
        length = self.integer("<Q")
        if length > KEPT_STRING:
            self.skip(length)
            return None
        return self.take(length).decode("utf-8", "replace")

    def value(self, kind: int) -> Value | None:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self._array()
        if kind not in _SCALARS:
            raise NotGgufError(f"unknown value type {kind}")
        layout = _SCALARS[kind]
        scalar: Scalar = struct.unpack(layout, self.take(struct.calcsize(layout)))[0]
        return scalar

    def _array(self) -> Value | None:
        kind = self.integer("<I")
        count = self.integer("<Q")
        if count > MAX_ARRAY:
            raise NotGgufError("an array is too long")
        if kind == _STRING:
            for _ in range(count):
                self.skip(self.integer("<Q"))
            return None
        if kind not in _SCALARS:  # nested arrays are in the format but in no model
            raise NotGgufError(f"unknown array type {kind}")
        width = struct.calcsize(_SCALARS[kind])
        if count > _KEPT_ARRAY:
            self.skip(count * width)
            return None
        data = self.take(count * width)
        return [item[0] for item in struct.iter_unpack(_SCALARS[kind], data)]


def read_header(path: Path) -> Header:
    """Read and check the header of a file.

    Raises:
        NotGgufError: it is not a GGUF file, or one with impossible counts.
        TruncatedError: the file is shorter than its header or its tensors need.
        OSError: the file cannot be read.

    """
    size = path.stat().st_size
    with path.open("rb") as file:
        reader = _Reader(file, size)
        if size < len(MAGIC) or reader.take(len(MAGIC)) != MAGIC:
            raise NotGgufError("it does not begin with GGUF")
        version = reader.integer("<I")
        if version not in VERSIONS:
            raise NotGgufError(f"GGUF version {version} is not supported")
        tensor_count, pair_count = reader.integer("<Q"), reader.integer("<Q")
        if tensor_count > MAX_TENSORS or pair_count > MAX_PAIRS:
            raise NotGgufError("its counts are impossible")
        metadata = _metadata(reader, pair_count)
        tensors = [_tensor(reader) for _ in range(tensor_count)]
        alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or not 0 < alignment <= MAX_ALIGNMENT:
            raise NotGgufError("its alignment is impossible")
        data_start = -(-reader.position // alignment) * alignment
    tensor_bytes = max((end for end, _ in tensors), default=0)
    expected = data_start + tensor_bytes
    if expected > MAX_FILE:
        raise NotGgufError("its tensors are impossibly large")
    if size < expected:
        raise TruncatedError(expected)
    parameters = sum(elements for _, elements in tensors)
    return Header(version, metadata, tensor_count, expected, tensor_bytes, parameters)


def _metadata(reader: _Reader, count: int) -> dict[str, Value]:
    metadata: dict[str, Value] = {}
    for _ in range(count):
        key = reader.key()
        value = reader.value(reader.integer("<I"))
        if value is not None:
            metadata[key] = value
    return metadata


def _tensor(reader: _Reader) -> tuple[int, int]:
    """Read one tensor's description.

    Returns where it ends, counted from the first tensor, and how many elements it has.
    """
    reader.key()
    dimensions = reader.integer("<I")
    if dimensions > MAX_DIMENSIONS:
        raise NotGgufError(f"a tensor has {dimensions} dimensions")
    elements = 1
    for _ in range(dimensions):
        elements *= reader.integer("<Q")
    kind = reader.integer("<I")
    offset = reader.integer("<Q")
    block, width = _BLOCKS.get(kind, (1, 0))  # of a type made later only the start is known
    return offset + elements // block * width, elements
