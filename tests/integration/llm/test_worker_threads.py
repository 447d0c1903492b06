"""What goes wrong in a thread of the worker is told: nobody waits for one that is gone."""

import queue
import subprocess
import sys
import threading

import pytest
from paths import ROOT

from xnai.llm.ipc import Complete, CountTexts, Refused, TokenCounts, Tokenising
from xnai.types import Message, Sampling

pytestmark = pytest.mark.engine

SECONDS = 60


class Frames:
    """An outbox whose frames are looked at."""

    def __init__(self) -> None:
        self._frames: queue.SimpleQueue[object] = queue.SimpleQueue()

    def send(self, frame: object) -> None:
        if not isinstance(frame, Tokenising):
            self._frames.put(frame)

    def next(self) -> object:
        return self._frames.get(timeout=SECONDS)


class FailingOnce:
    """A prompter that meets something that nobody has thought of, and then works."""

    def __init__(self) -> None:
        self.failures = [ModuleNotFoundError("a library is gone")]

    def tokens(self, _turns: object) -> list[int]:
        if self.failures:
            raise self.failures.pop()
        return [1] * 10_000

    def counts(self, texts, _tell):
        self.tokens(texts)
        return [len(text) for text in texts]


class Context:
    context_tokens = 2048


def start(target, *args: object) -> None:
    threading.Thread(target=target, args=args, daemon=True).start()


def test_a_request_that_fails_in_an_unknown_way_is_refused_and_the_next_one_is_taken():
    from xnai.llm.worker.incoming import Requests, prepare  # noqa: PLC0415 - needs the engine

    requests, frames = Requests(), Frames()
    start(prepare, requests, None, FailingOnce(), Context(), frames)
    for number in (1, 2):
        requests.put(Complete(number, (Message("user", "Hello"),), Sampling()))

    first, second = frames.next(), frames.next()

    assert isinstance(first, Refused)
    assert (first.id, first.code) == (1, "internal")
    assert isinstance(second, Refused)
    assert (second.id, second.code) == (2, "question_too_long")


def test_counting_goes_on_after_what_nobody_has_thought_of():
    from xnai.llm.worker.incoming import Requests, count  # noqa: PLC0415 - needs the engine

    requests, frames = Requests(), Frames()
    start(count, requests, FailingOnce(), 2048, frames)
    for number in (1, 2):
        requests.put(CountTexts(number, ("abc",)))

    first, second = frames.next(), frames.next()

    assert isinstance(first, Refused)
    assert first.code == "internal"
    assert second == TokenCounts(2, (3,))


def test_a_thread_that_dies_takes_the_process_along_which_is_then_replaced():
    code = (
        "import threading; from xnai.llm.worker import main\n"
        "main._thread(lambda: [][0]); threading.Event().wait()"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert done.returncode == 4
    assert "IndexError" in done.stderr
