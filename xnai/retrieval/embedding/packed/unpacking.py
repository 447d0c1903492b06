"""Makes a model folder of a packed encoder, and compares its vectors with known ones."""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from xnai.retrieval.embedding.model_folder import load_session, load_tokenizer, read_folder
from xnai.retrieval.embedding.weights import MAKING, remove_left

RECIPE = "recipe.json"
MODEL = "model.onnx"
FILES = ("tokenizer.json", "config.json", "config_sentence_transformers.json", MODEL)
LARGEST_DIFFERENCE = 0.01  # measured: 0.002 between processors with and without VNNI
_PROMPTS = {"query": "query: ", "passage": "passage: "}


def is_unpacked(folder: Path) -> bool:
    """Whether all files are there; the last one is put there when all others are."""
    return all((folder / name).is_file() for name in FILES)


def unpack(source: Path, known: Mapping[str, Sequence[float]]) -> None:
    """Make a model folder of the folder that a packed encoder lies in; blocks for seconds.

    Args:
        source: the packed encoder. Beside it lies ``recipe.json`` with ``centre``, thousandths of
            the mean of all token vectors, which is taken off each (else all point more or less the
            same way), and ``floors``, see ``SearchQuery``.
        known: texts with the first numbers of the vectors that they should have.

    Raises:
        ValueError: it is no packed encoder, or its vectors are not the known ones.
        OSError: the folder cannot be written.

    """
    # Heavy, and not wanted where a model is fetched that is not packed.
    from xnai.retrieval.embedding.packed.graph import graph_of  # noqa: PLC0415
    from xnai.retrieval.embedding.packed.packed_file import PackedFile  # noqa: PLC0415
    from xnai.retrieval.embedding.packed.tokenizer_file import tokenizer_json  # noqa: PLC0415

    packed = PackedFile(source)
    shape = packed.shape
    recipe = json.loads((source.parent / RECIPE).read_bytes())
    centre = (np.array(recipe["centre"]) / 1000).astype(np.float32)
    if centre.shape != (shape.hidden,):
        raise ValueError(f"the centre has {len(centre)} numbers")
    config = {
        "hidden_size": shape.hidden,
        "max_position_embeddings": shape.positions,
        "xnai_floors": recipe["floors"],
    }
    remove_left(source.parent)
    with tempfile.TemporaryDirectory(dir=source.parent, prefix=MAKING) as made:
        contents = (
            tokenizer_json(packed.vocabulary).encode(),
            json.dumps(config).encode(),
            json.dumps({"prompts": _PROMPTS}).encode(),
            graph_of(packed, centre),
        )
        for name, content in zip(FILES, contents, strict=True):
            _write(Path(made, name), content)
        _compare(Path(made), known)
        for name in FILES:
            Path(made, name).replace(source.parent / name)


def _write(path: Path, content: bytes) -> None:
    """Write what must not be there empty after a crash."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _compare(folder: Path, known: Mapping[str, Sequence[float]]) -> None:
    model = read_folder(folder, "XNAI_EMBEDDER")
    tokenizer = load_tokenizer(model.tokenizer, model.max_tokens)
    session = load_session(model.model)
    for text, numbers in known.items():
        ids = np.array([tokenizer.encode(model.passage + text).ids], np.int64)
        mean = session.run(None, {"input_ids": ids})[0][0].mean(axis=0)
        vector = mean / np.linalg.norm(mean)
        difference = np.abs(vector[: len(numbers)] - np.array(numbers)).max(initial=0.0)
        if not difference <= LARGEST_DIFFERENCE:
            raise ValueError(f"its vectors are wrong by {difference:.3f}")
