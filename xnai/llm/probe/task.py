"""What probes are told when they start, as JSON in their first argument."""

import json
import os
from dataclasses import asdict, dataclass
from typing import Literal, Self

from xnai.llm.ipc import CHUNK


@dataclass(frozen=True, slots=True)
class _Task:
    def to_json(self) -> str:
        """Return the argument."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the argument."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class SelfTestTask(_Task):
    """To ``xnai.llm.probe``: name a build's variants, compare it, or record what others must be.

    Attributes:
        what: which of these.
        threads: CPU threads.
        scratch: a folder for the tiny models.

    """

    what: Literal["variants", "compare", "record"]
    threads: int
    scratch: str


@dataclass(frozen=True, slots=True)
class MeasureTask(_Task):
    """To ``xnai.llm.probe.measure``: how fast a copy of a model is, or how true to another one.

    Attributes:
        what: ``speed`` measures it, ``keep`` notes what it expects, ``compare`` what it expects
            else than was noted.
        parent: process id of the server.
        model: the file of the copy.
        threads: CPU threads.
        notes: the file of the notes.
        chunk: tokens that are read at once.
        gpu_layers: layers on a GPU; negative: all.

    """

    what: Literal["speed", "keep", "compare"]
    parent: int
    model: str
    threads: int
    notes: str = os.devnull
    chunk: int = CHUNK
    gpu_layers: int = 0
