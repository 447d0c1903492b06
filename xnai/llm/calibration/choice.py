"""What was measured of a model on this machine, and what follows from it."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from xnai.llm.build.record import Installed, read_installed
from xnai.llm.gguf.catalogue import ModelFiles
from xnai.llm.hardware import machine_key

ORIGINAL = ""  # the copy that is the file as it came
AS_USUAL = ""  # the way to run it that is taken where nothing was measured
READ, WRITTEN = 512, 128  # tokens of the job that everything is compared by
ROUNDS = 3
GAIN = 1.05  # a copy that is less faster than this is not worth its place
TUNING_GAIN = 1.03  # nor is another way to run it
LOSS = 0.95  # what is so much slower after a round is measured no further
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


Rounds = Mapping[str, tuple[Speed, ...]]


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a worker runs a model; 0: as it would without a measurement.

    ``threads`` compute a step, which has at most ``chunk`` tokens of prompts; threads that wait for
    each other look ``spin`` times before they sleep.
    """

    threads: int = 0
    chunk: int = 0
    spin: int = 0

    @classmethod
    def parse(cls, label: str) -> "Tuning":
        """Return what a label such as ``threads=4`` stands for.

        Raises:
            ValueError, TypeError: it is no such label.

        """
        return cls(**{name: int(value) for name, value in [label.split("=")]})


@dataclass(frozen=True, slots=True)
class Findings:
    """All measurements of one model on this machine with one build of the engine.

    ``speeds`` has the rounds of each copy, ``ways`` those of each way to run the best one, by the
    label of a ``Tuning``; ``good`` are the copies that answer as the original does, ``out`` those
    that will not be run, with the reason; ``seconds`` is how long it took so far; ``done``: nothing
    is left to measure.
    """

    speeds: Rounds = field(default_factory=dict)
    ways: Rounds = field(default_factory=dict)
    good: tuple[str, ...] = ()
    out: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    done: bool = False

    @property
    def copy(self) -> str:
        """The copy to run: the fastest of those that answer as the original does."""
        return self.fastest if self.done else ORIGINAL

    @property
    def fastest(self) -> str:
        """What ``copy`` would be if nothing else were measured."""
        original = self.speed(ORIGINAL)
        if original is None:
            return ORIGINAL
        usable = {copy: self.speed(copy) for copy in self.good if copy not in self.out}
        found = {copy: speed.seconds for copy, speed in usable.items() if speed is not None}
        best = min(found, key=lambda copy: found[copy], default=ORIGINAL)
        is_worth_it = best and original.seconds / found[best] >= GAIN
        return best if is_worth_it else ORIGINAL

    @property
    def tuning(self) -> Tuning:
        """How to run it: of threads, chunk and spinning each as was measured to be faster."""
        usual = median_speed(self.ways.get(AS_USUAL, ()))
        if usual is None or not self.done:
            return Tuning()
        chosen: dict[str, tuple[float, int]] = {}
        for label, rounds in self.ways.items():
            speed = median_speed(rounds)
            if label == AS_USUAL or speed is None or len(rounds) < ROUNDS:
                continue
            name, value = label.split("=")
            gain = usual.seconds / speed.seconds
            if gain >= TUNING_GAIN:
                chosen[name] = max(chosen.get(name, (0.0, 0)), (gain, int(value)))
        return Tuning(**{name: value for name, (_, value) in chosen.items()})

    @property
    def told(self) -> str:
        """What is run, in words that go on after the speed."""
        words = [f"as its {self.copy} copy" if self.copy else "as it came"]
        tuning = self.tuning
        words += [f"with {tuning.threads} threads"] * bool(tuning.threads)
        words += [f"in chunks of {tuning.chunk} tokens"] * bool(tuning.chunk)
        words += [f"spinning {tuning.spin:,} times"] * bool(tuning.spin)
        return ", ".join(words)

    def speed(self, copy: str) -> Speed | None:
        """Return the median of a copy's rounds, None if it has none."""
        return median_speed(self.speeds.get(copy, ()))


def median_speed(rounds: Sequence[Speed]) -> Speed | None:
    """Return the median of rounds, None of none."""
    if not rounds:
        return None
    return Speed(median(one.read for one in rounds), median(one.write for one in rounds))


def key(path: Path, engine: Installed) -> str:
    """Name what findings are good for: the file, the engine and the machine.

    The first two parts are the model's alone, see ``model_part``.

    Raises:
        OSError: the file cannot be looked at.

    """
    build = hashlib.sha256(f"{engine.key} {engine.variant}".encode()).hexdigest()[:8]
    return f"{model_part(path)}-{build}-{machine_key()}"


def model_part(path: Path) -> str:
    """What the names of all findings and copies of a file begin with.

    Raises:
        OSError: the file cannot be looked at.

    """
    with path.open("rb") as file:
        head = hashlib.sha256(file.read(65_536)).hexdigest()[:16]
    return f"{head}-{path.stat().st_size}"


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
            speeds, ways = (_rounds(fields.pop(part)) for part in ("speeds", "ways"))
            for label in filter(None, ways):
                Tuning.parse(label)
            return Findings(speeds=speeds, ways=ways, good=tuple(fields.pop("good")), **fields)
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


def _rounds(kept: Mapping[str, list[dict[str, float]]]) -> Rounds:
    return {name: tuple(Speed(**one) for one in rounds) for name, rounds in kept.items()}


def known_findings(files: ModelFiles, path: Path) -> Findings:
    """Return what was measured of a model's file with the engine installed here; blocks."""
    engine = read_installed()
    try:
        name = "" if engine is None else key(path, engine)
    except OSError:
        name = ""
    return findings_file(files).read(name)


def findings_file(files: ModelFiles) -> FindingsFile:
    """Return the findings of all models of a data folder."""
    return FindingsFile(files.cache_dir / "measured.json")


def notes_path(files: ModelFiles, findings_key: str) -> Path:
    """Where lies, while copies are tried, what the original expects after each given token."""
    return files.cache_dir / f"{findings_key}.notes"


def copy_path(files: ModelFiles, findings_key: str, copy: str) -> Path:
    """Where a copy of a model lies that is measured under a key."""
    return files.cache_dir / f"{findings_key}.{copy}.gguf"
