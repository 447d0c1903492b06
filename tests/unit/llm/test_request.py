"""Frames of one request: in order, merged while they lie unread, with back-pressure."""

import asyncio

import pytest

from xnai.errors import XnaiError
from xnai.llm.engine.launch import Death
from xnai.llm.engine.request import LOGPROBS_SIZE, UNREAD_LIMIT, Request, WorkerDiedError
from xnai.llm.ipc import (
    Cancelled,
    Ended,
    Figures,
    Pause,
    PromptProgress,
    Refused,
    Resume,
    Text,
)
from xnai.types import TokenLogprob

FIGURES = Figures(2, 1, 0, prefill_seconds=1.0, decode_seconds=1.0)
FINISHED = Ended(1, "stop", FIGURES)


def token(number: int) -> TokenLogprob:
    return TokenLogprob(str(number), b"", -1.0)


class Line:
    """A request, and what it has asked of the worker."""

    def __init__(self) -> None:
        self.sent: list[Pause | Resume] = []
        self.request = Request(1, timed=False, control=self.sent.append)

    async def texts(self) -> list[str]:
        """The texts up to the closing frame."""
        found = []
        while isinstance(frame := await self.request.next(), Text):
            found.append(frame.text)
        return found


async def test_text_that_lies_unread_is_read_as_one():
    line = Line()
    for text in ("a", "b", "c"):
        line.request.text(text, [])
    line.request.put(FINISHED)
    assert await line.texts() == ["abc"]


async def test_text_that_is_read_at_once_comes_as_it_was_sent():
    line, found = Line(), []
    for text in ("a", "b"):
        line.request.text(text, [])
        found.append((await line.request.next()).text)
    assert found == ["a", "b"]


async def test_only_the_last_progress_is_kept_while_nobody_reads():
    line = Line()
    for done in (10, 20, 30):
        line.request.put(PromptProgress(1, done, 30, 4))
    line.request.text("a", [])
    assert [await line.request.next() for _ in range(2)] == [
        PromptProgress(1, 30, 30, 4),
        Text(1, "a"),
    ]
    assert line.request.prefilled == 26


async def test_a_reader_that_falls_behind_has_the_worker_pause_once_until_it_reads():
    line = Line()
    for _ in range(3):
        line.request.text("x" * UNREAD_LIMIT, [])
    assert line.sent == [Pause(1)]
    assert len((await line.request.next()).text) == 3 * UNREAD_LIMIT
    assert line.sent == [Pause(1), Resume(1)]


async def test_probabilities_count_as_unread_too_and_keep_their_order():
    line = Line()
    tokens = UNREAD_LIMIT // LOGPROBS_SIZE + 1
    for number in range(tokens):
        line.request.text("", [token(number)])
    assert line.sent == [Pause(1)]
    assert (await line.request.next()).logprobs == tuple(map(token, range(tokens)))


async def test_the_end_is_known_before_it_is_read():
    line = Line()
    line.request.text("a", [])
    line.request.put(FINISHED)
    assert line.request.ended.result() == FINISHED


async def test_a_death_is_told_after_the_text_that_came_before_it():
    line = Line()
    line.request.text("a", [])
    line.request.die(Death("segfault", "it crashed"))
    assert (await line.request.next()).text == "a"
    with pytest.raises(WorkerDiedError, match="it crashed"):
        await line.request.next()
    assert line.request.ended.result() is None


async def test_a_refusal_is_raised_with_its_values():
    line = Line()
    values = {"tokens": 9, "limit": 5}
    line.request.put(Refused(1, "question_too_long", values))
    with pytest.raises(XnaiError, match=r"has 9 tokens .* can read 5 beside"):
        await line.request.next()


async def test_the_first_text_proves_a_request():
    line = Line()
    line.request.put(PromptProgress(1, 1, 2))
    assert not line.request.proven.done()
    line.request.text("a", [])
    assert line.request.proven.done()


async def test_what_comes_after_closing_is_dropped_but_the_end_is_known():
    line = Line()
    line.request.close()
    for _ in range(3):
        line.request.text("x" * UNREAD_LIMIT, [])
    line.request.put(Cancelled(1, FIGURES))
    assert line.sent == []
    assert line.request.ended.done()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(line.request.next(), 0.01)
