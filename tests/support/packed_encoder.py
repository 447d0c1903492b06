"""A small encoder packed into one file, and the same computed step by step."""

import json
import math
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

HIDDEN, INNER, HEADS, LAYERS, POSITIONS = 64, 96, 2, 2, 40
EPSILON = 1e-6
WORDS = ("lamp", "bread", "light", "house", "é", "\u0438", "\u706f")
PIECES = ("<s>", "<pad>", "</s>", "<unk>", ",", "\u2581", *(f"\u2581{w}" for w in WORDS), *WORDS)
REPLACED = {"\x01": "", "\t": " ", "\n": " ", "\u200b": " ", "\ufb01": "fi", "\u00a0": " "}


def _norm(values, weight, bias):
    values = values - values.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((values**2).mean(axis=-1, keepdims=True) + EPSILON)
    return values / deviation * weight + bias


def _gelu(values):
    return values * 0.5 * (1 + np.vectorize(math.erf)(values / math.sqrt(2)))


@dataclass
class PackedEncoder:
    """Random weights, as a file holds them and as numbers."""

    seed: int = 0
    pieces: tuple[str, ...] = (*PIECES, "<mask>")
    tensors: dict = field(default_factory=dict)
    numbers: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._draw = np.random.default_rng(self.seed)
        self._matrix("emb.word", len(self.pieces) + 3, HIDDEN, 1.0)
        self._floats("emb.pos", POSITIONS * HIDDEN, 0.2)
        self._floats("emb.type", 2 * HIDDEN, 0.2)
        self._normal("emb.ln")
        for layer in range(LAYERS):
            shapes = dict.fromkeys(("q", "k", "v", "ao"), (HIDDEN, HIDDEN))
            shapes |= {"fi": (INNER, HIDDEN), "fo": (HIDDEN, INNER)}
            for part, (rows, columns) in shapes.items():
                self._matrix(f"l{layer}.{part}.w", rows, columns, 0.3)
                self._floats(f"l{layer}.{part}.b", rows, 0.2)
            self._normal(f"l{layer}.aln")
            self._normal(f"l{layer}.oln")

    def _floats(self, name, count, scale, around=0.0):
        values = (around + scale * self._draw.standard_normal(count)).astype("<f4")
        self.tensors[name] = (0, count, values.tobytes())
        self.numbers[name] = values

    def _normal(self, name):
        self._floats(f"{name}.w", HIDDEN, 0.1, 1.0)
        self._floats(f"{name}.b", HIDDEN, 0.1)

    def _matrix(self, name, rows, columns, scale):
        weights = self._draw.integers(0, 16, (rows, columns // 32, 32), np.uint8)
        scales = (scale / 8 * self._draw.uniform(0.5, 1, (rows, columns // 32))).astype("<f2")
        blocks = b"".join(
            one.tobytes() + (block[:16] | (block[16:] << 4)).tobytes()
            for one, block in zip(scales.reshape(-1), weights.reshape(-1, 32), strict=True)
        )
        self.tensors[name] = (1, rows * columns, blocks)
        whole = (weights.astype(np.float32) - 8) * scales[..., None].astype(np.float32)
        self.numbers[name] = whole.reshape(rows, columns)

    def content(self) -> bytes:
        """The file."""
        shape = (1, HIDDEN, LAYERS, HEADS, INNER, len(self.pieces) + 3, POSITIONS, 2, EPSILON, 32)
        texts = [piece.encode() for piece in self.pieces]
        ends = np.cumsum([0, *map(len, texts)]).astype("<u4")
        scores = -np.arange(len(texts), dtype="<f4") / 10 - 1
        replaced = b"".join(
            struct.pack(f"<IB{len(by)}I", ord(one), len(by), *map(ord, by))
            for one, by in REPLACED.items()
        )
        head = b"".join(
            (
                b"E5S1" + struct.pack("<I7ifi", *shape),
                struct.pack("<5iQ", len(texts), 0, 2, 1, 3, int(ends[-1])),
                ends.tobytes() + scores.tobytes() + b"".join(texts),
                struct.pack("<iI", len(REPLACED), len(replaced)) + replaced,
                struct.pack("<i", len(self.tensors)),
            )
        )
        row = struct.calcsize("<BIQQ")
        start = len(head) + sum(2 + len(name) + row for name in self.tensors)
        rows, bodies = b"", b""
        for name, (kind, count, body) in self.tensors.items():
            place = struct.pack("<BIQQ", kind, count, start + len(bodies), len(body))
            rows += struct.pack("<H", len(name)) + name.encode() + place
            bodies += body
        return head + rows + bodies

    def write(self, folder: Path, centre: float = 0.0) -> Path:
        """Put it into a folder, with a centre of one number for all dimensions."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "packed.bin"
        path.write_bytes(self.content())
        recipe = {"centre": [round(1000 * centre)] * HIDDEN, "floors": [0.25, -0.5]}
        (folder / "recipe.json").write_text(json.dumps(recipe), encoding="utf-8")
        return path

    def vectors(self, ids):
        """The tokens' vectors of a sequence, in plain float arithmetic."""
        of = self.numbers
        values = of["emb.word"][ids] + of["emb.type"][:HIDDEN]
        values = values + of["emb.pos"].reshape(POSITIONS, HIDDEN)[: len(ids)]
        values = _norm(values, of["emb.ln.w"], of["emb.ln.b"])
        for layer in range(LAYERS):
            values = self._layer(f"l{layer}", values)
        return values

    def _layer(self, name, values):
        of = self.numbers

        def product(part, given):
            return given @ of[f"{name}.{part}.w"].T + of[f"{name}.{part}.b"]

        parts = [product(p, values).reshape(len(values), HEADS, -1) for p in ("q", "k", "v")]
        queries, keys, seen = (part.transpose(1, 0, 2) for part in parts)
        likeness = queries @ keys.transpose(0, 2, 1) / math.sqrt(HIDDEN / HEADS)
        shares = np.exp(likeness - likeness.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        context = (shares @ seen).transpose(1, 0, 2).reshape(len(values), HIDDEN)
        values = values + product("ao", context)
        values = _norm(values, of[f"{name}.aln.w"], of[f"{name}.aln.b"])
        values = values + product("fo", _gelu(product("fi", values)))
        return _norm(values, of[f"{name}.oln.w"], of[f"{name}.oln.b"])
