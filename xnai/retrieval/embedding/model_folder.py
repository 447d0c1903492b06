"""Another embedding model or a cross-encoder: a folder as Hugging Face lays it out, with ONNX.

It holds ``tokenizer.json``, ``config.json`` and ``model.onnx`` (also in ``onnx/``); pooling is read
from ``1_Pooling/config.json`` and prefixes from ``config_sentence_transformers.json`` where there
are any. Nothing is downloaded.
"""

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xnai.errors import MODEL_FOLDER_INVALID, XnaiError

MAX_TOKENS = 512
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """What is known of a model before it is loaded.

    ``pooling`` is ``mean`` or ``cls``; ``query`` and ``passage`` are put before what is embedded;
    ``floors`` are those of ``SearchQuery``, in ``config.json`` as ``xnai_floors``.
    """

    path: Path
    model: Path
    tokenizer: Path
    dimensions: int
    max_tokens: int
    pooling: str
    query: str
    passage: str
    floors: tuple[float, float] = (0.0, 0.0)

    def name(self) -> str:
        """The folder's name with a part of the weights' sha256; blocks."""
        with self.model.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return f"{self.path.name}-{digest[:12]}"


def read_folder(path: Path, setting: str) -> ModelFolder:
    """Look into a folder.

    Raises:
        XnaiError: MODEL_FOLDER_INVALID naming the file that is missing or wrong.

    """
    config = _json(path / "config.json", path, setting)
    model = next(
        (p for p in (path / "model.onnx", path / "onnx" / "model.onnx") if p.is_file()), None
    )
    if model is None:
        raise _invalid(path, setting, "it has no model.onnx")
    tokenizer = path / "tokenizer.json"
    if not tokenizer.is_file():
        raise _invalid(path, setting, "it has no tokenizer.json")
    dimensions, positions = config.get("hidden_size"), config.get("max_position_embeddings", 512)
    if not isinstance(dimensions, int) or not isinstance(positions, int):
        raise _invalid(path, setting, "its config.json names no hidden_size")
    match config.get("xnai_floors", [0, 0]):
        case [int() | float() as same, int() | float() as other] if max(abs(same), abs(other)) < 1:
            pass
        case _:
            problem = "the xnai_floors of its config.json are no two numbers between -1 and 1"
            raise _invalid(path, setting, problem)
    pooling = _optional(path / "1_Pooling" / "config.json")
    prompts = _optional(path / "config_sentence_transformers.json").get("prompts") or {}
    return ModelFolder(
        path=path,
        model=model,
        tokenizer=tokenizer,
        dimensions=dimensions,
        max_tokens=min(MAX_TOKENS, positions),
        pooling="cls" if pooling.get("pooling_mode_cls_token") else "mean",
        query=str(prompts.get("query", "")),
        passage=str(prompts.get("passage", prompts.get("document", ""))),
        floors=(float(same), float(other)),
    )


def load_tokenizer(path: Path, max_tokens: int) -> Any:
    """Load a tokenizer that cuts at ``max_tokens`` and pads nothing.

    The same one for all who ask for it, who must leave it as it is: it takes up to 300 MB.
    """
    changed = path.stat()
    return _load_tokenizer(path, max_tokens, (changed.st_size, changed.st_mtime_ns))


@functools.lru_cache(maxsize=2)
def _load_tokenizer(path: Path, max_tokens: int, _stamp: tuple[int, int]) -> Any:
    from tokenizers import Tokenizer  # noqa: PLC0415 - heavy: not before it is needed

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def load_session(path: Path) -> Any:
    """Load a model for one text at a time on one thread."""
    import onnxruntime  # noqa: PLC0415 - heavy: not before it is needed

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _json(file: Path, path: Path, setting: str) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except OSError:
        raise _invalid(path, setting, f"it has no {file.name}") from None
    except ValueError as exc:
        raise _invalid(path, setting, f"its {file.name} is not JSON") from exc
    if not isinstance(found, dict):
        raise _invalid(path, setting, f"its {file.name} is no object")
    return found


def _optional(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _invalid(path: Path, setting: str, problem: str) -> XnaiError:
    return XnaiError(MODEL_FOLDER_INVALID, setting=setting, path=path, problem=problem)
