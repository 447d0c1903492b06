# ruff: noqa: D102 - each does nothing where something was done
"""The same program without its telemetry, as what telemetry is measured against.

Run as a script it is `xnai serve`: `python bench/without_telemetry.py`.
"""

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

from xnai.llm.engine import local_engine
from xnai.llm.protocol import Completion
from xnai.llm.remote import router
from xnai.observability import Metrics
from xnai.observability.instruments import Histogram, Series
from xnai.observability.loop_lag import LoopLag
from xnai.observability.metrics import AnswerWatch
from xnai.observability.processes import Machine
from xnai.observability.stages import Laps, Stages


class NoGeneration:
    """Stands where a generation is timed."""

    def __init__(self, *_: object) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def passed_on(self, completion: Completion) -> Completion:
        return completion

    def turn(self) -> None: ...

    def see(self, _: object) -> None: ...

    def worked(self, _: object) -> None: ...


def nothing(*_: object) -> None:
    """Do what telemetry does when there is none."""


async def alone(_: Stages, __: str, work: Callable[..., Awaitable[Any]], *args: object) -> Any:
    """The work without a clock."""
    return await work(*args)


class NoLag(LoopLag):
    """Samples nothing."""

    def start(self) -> None: ...


_REPLACED = (
    (Series, "inc", nothing),
    (Series, "dec", nothing),
    (Series, "set", nothing),
    (Histogram, "observe", nothing),
    (AnswerWatch, "token", nothing),
    (Metrics, "error", nothing),
    (Metrics, "request", nothing),
    (Metrics, "settle", nothing),
    (Stages, "of", alone),
    (Laps, "lap", nothing),
    (Machine, "start", nothing),
    (LoopLag, "start", NoLag.start),
    (local_engine, "Generation", NoGeneration),
    (router, "Generation", NoGeneration),
)


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Take the telemetry out while the block runs."""
    patches = [patch.object(where, name, new) for where, name, new in _REPLACED]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in reversed(patches):
            one.stop()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from xnai.cli.main import main

    sys.argv = ["xnai", "serve"]
    with without_telemetry():
        main()
