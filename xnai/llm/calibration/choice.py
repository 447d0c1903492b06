"""What was measured of a model on this machine, and what follows from it."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from xnai.llm.build.record import read_installed
from xnai.llm.gguf.catalogue import ModelFiles
from xnai.llm.hardware import machine_key

ORIGINAL = ""  # the copy that is the file as it came
READ, WRITTEN = 512, 128  # tokens of the job that copies are compared by
GAIN = 1.05  # a copy that is less faster than this is not worth its place
MOST_DIVERGENCE = 0.02  # nats, of what the original expects
LEAST_SAME = 0.97  # share of tokens of which both find the same one likeliest


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second: ``read`` of a prompt, ``write`` of one answer alone."""

    read: float
    write: float

    @property
    def seconds(self) -> float:
        """How long it takes to read 512 tokens and write 128."""
        return READ / self.read + WRITTEN / self.write


@dataclass(frozen=True, slots=True)
class Findings:
    """All measurements of one model on this machine with one build of the engine.

    ``speeds`` has the rounds of each copy; ``out`` the copies that will not be run, with the
    reason; ``seconds`` is how long it took so far; ``done``: nothing is left to measure.
    """

    speeds: Mapping[str, tuple[Speed, ...]] = field(default_factory=dict)
    out: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    done: bool = False

    @property
    def copy(self) -> str:
        """The copy to run: the fastest of those that answer as the original does."""
        original = self.speed(ORIGINAL)
        if original is None or not self.done:
            return ORIGINAL
        usable = {
            copy: speed
            for copy in self.speeds
            if copy not in self.out and (speed := self.speed(copy)) is not None
        }
        best = min(usable, key=lambda copy: usable[copy].seconds)
        return best if original.seconds / usable[best].seconds >= GAIN else ORIGINAL

    def speed(self, copy: str) -> Speed | None:
        """Return the median of a copy's rounds, None if it has none."""
        rounds = self.speeds.get(copy, ())
        if not rounds:
            return None
        return Speed(median(one.read for one in rounds), median(one.write for one in rounds))


def key(path: Path, build: str) -> str:
    """Name what findings are good for: the file, the build of the engine and the machine.

    Raises:
        OSError: the file cannot be looked at.

    """
    stat = path.stat()
    with path.open("rb") as file:
        head = hashlib.sha256(file.read(65_536)).hexdigest()[:16]
    return f"{head}-{stat.st_size}-{build}-{machine_key()}"


class FindingsFile:
    """The findings of all models, in one file of the data folder.

    Args:
        path: where it lies; need not exist.

    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, name: str) -> Findings:
        """Return what is known under a key; empty findings if nothing is, or none can be read."""
        with contextlib.suppress(TypeError, ValueError, AttributeError, KeyError):
            fields: dict[str, Any] = dict(self._all()[name])
            speeds = {
                copy: tuple(Speed(**one) for one in rounds)
                for copy, rounds in fields.pop("speeds").items()
            }
            return Findings(speeds=speeds, **fields)
        return Findings()

    def write(self, name: str, findings: Findings) -> None:
        """Keep findings under a key."""
        known = {**self._all(), name: asdict(findings)}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(known, indent=1) + "\n", "utf-8")
        temporary.replace(self._path)

    def _all(self) -> dict[str, dict[str, object]]:
        try:
            known = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}


def known_findings(files: ModelFiles, path: Path) -> Findings:
    """Return what was measured of a model's file with the engine installed here; blocks."""
    engine = read_installed()
    try:
        name = "" if engine is None else key(path, engine.build + engine.variant)
    except OSError:
        name = ""
    return findings_file(files).read(name)


def findings_file(files: ModelFiles) -> FindingsFile:
    """Return the findings of all models of a data folder."""
    return FindingsFile(files.cache_dir / "measured.json")


def copy_path(files: ModelFiles, findings_key: str, copy: str) -> Path:
    """Where a copy of a model lies that is measured under a key."""
    return files.cache_dir / f"{findings_key}.{copy}.gguf"
