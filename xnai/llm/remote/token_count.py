"""Counting tokens at a model endpoint, each server in its own way, or by estimate."""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence

import structlog

from xnai.errors import XnaiError
from xnai.llm.remote.http import EndpointHttp
from xnai.llm.remote.wire import Kind
from xnai.types import Message

_SECONDS = 3.0  # for all texts of one question; llama_cpp.server counts only between its answers
_REST = 30.0  # seconds without asking again after that
_AT_ONCE = 4
_EXACT: frozenset[Kind] = frozenset({"vllm", "llama-server", "llama_cpp.server"})

_log = structlog.get_logger(__name__)


class CountError(Exception):
    """The endpoint's count is not to be believed."""


class TokenCounter:
    """Counts what the endpoint would count; estimates where it cannot or will not say."""

    def __init__(self, http: EndpointHttp) -> None:
        self._http = http
        self._resting_until = 0.0  # of time.monotonic()
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def texts(self, texts: Sequence[str], kind: Kind, model: str) -> list[int]:
        """Tokens of each text, without the template's own."""
        if texts and self._asks(kind):
            try:
                async with asyncio.timeout(_SECONDS), asyncio.TaskGroup() as group:
                    counts = [group.create_task(self._text(t, kind, model)) for t in texts]
                return [task.result() for task in counts]
            except* (XnaiError, CountError, TimeoutError) as failures:
                self._rest(failures)
        return [estimate_tokens(text) for text in texts]

    async def prompt(self, messages: Sequence[Message], kind: Kind, model: str) -> int:
        """Tokens of the rendered prompt, the template's own included."""
        size = sum(len(message.content.encode("utf-8", "replace")) for message in messages)
        if self._asks(kind) and kind != "llama_cpp.server":
            try:
                async with asyncio.timeout(_SECONDS):
                    return await self._rendered(messages, kind, model, size)
            except (XnaiError, CountError, TimeoutError) as failure:
                self._rest(failure)
        contents = [message.content for message in messages]
        return estimate_prompt(await self.texts(contents, kind, model))

    def _asks(self, kind: Kind) -> bool:
        return kind in _EXACT and time.monotonic() >= self._resting_until

    def _rest(self, failure: BaseException) -> None:
        self._resting_until = time.monotonic() + _REST
        _log.info("tokens_estimated", endpoint=self._http.endpoint, reason=type(failure).__name__)

    async def _text(self, text: str, kind: Kind, model: str) -> int:
        async with self._gate:
            size = len(text.encode("utf-8", "replace"))
            body: dict[str, object]
            if kind == "llama_cpp.server":
                body = {"input": text, "model": model}
                return await self._ask("/extras/tokenize/count", body, size)
            if kind == "vllm":
                body = {"prompt": text, "model": model, "add_special_tokens": False}
                return await self._ask("/tokenize", body, size)
            return await self._ask("/tokenize", {"content": text, "add_special": False}, size)

    async def _rendered(
        self, messages: Sequence[Message], kind: Kind, model: str, size: int
    ) -> int:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        size += 4096  # a template may be generous
        if kind == "vllm":
            return await self._ask("/tokenize", {"messages": turns, "model": model}, size)
        answer = await self._http.json(
            "POST", "/apply-template", {"messages": turns}, seconds=_SECONDS, longest=8 * size
        )
        prompt = answer.get("prompt") if isinstance(answer, dict) else None
        if not isinstance(prompt, str):
            raise CountError
        return await self._ask("/tokenize", {"content": prompt, "add_special": True}, size)

    async def _ask(self, path: str, body: Mapping[str, object], size: int) -> int:
        longest = 16 * size + 4096  # bytes; the tokens themselves come along
        answer = await self._http.json("POST", path, body, seconds=_SECONDS, longest=longest)
        answer = answer if isinstance(answer, dict) else {}
        count, tokens = answer.get("count"), answer.get("tokens")
        if count is None and isinstance(tokens, list):
            count = len(tokens)
        if type(count) is not int or not 0 <= count <= size + 16:
            raise CountError
        return count


_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+| (?=[!-~])|[^\x00-\x7f]+|.", re.DOTALL)
_LONG = 200_000  # characters; the pieces of a longer text are not looked at
_ASTRAL = 0x10000
_MESSAGE = 8  # tokens a template adds around a message
_PROMPT = 32  # and around all of them


def estimate_tokens(text: str) -> int:
    """Tokens of ``text``, rather too many than too few.

    A run of letters counts a token for every two, every digit, sign, line break and further space
    one, other scripts three for four bytes of UTF-8, emoji one a byte; and a twelfth on top for
    languages that a vocabulary hardly knows. Over the vocabularies in llama.cpp's source (32,000 to
    256,000 tokens) that is 1.0 to 1.9 times the greediest one's count on prose in nine languages,
    tables and source code, and 2.2 to 2.4 times a current vocabulary's on English. Encoded data
    (Base64) can have a tenth more tokens than this says: no vocabulary knows it. Of texts of more
    than 200,000 characters every byte counts as one, which no byte-level vocabulary exceeds.
    """
    if len(text) > _LONG:
        return len(text.encode("utf-8", "replace"))
    pieces = sum(_piece(match.group()) for match in _PIECE.finditer(text))
    return pieces + -(-pieces // 12)


def estimate_prompt(counts: list[int]) -> int:
    """Tokens of a rendered prompt whose messages have so many."""
    return sum(counts) + _MESSAGE * len(counts) + _PROMPT


def _piece(piece: str) -> int:
    if not piece.isascii():
        astral = sum(ord(char) >= _ASTRAL for char in piece)
        rest = len(piece.encode("utf-8", "replace")) - 4 * astral
        return 4 * astral + -(-rest * 3 // 4)
    if piece.isalpha():
        return -(-len(piece) // 2)
    return 0 if piece == " " else 1
