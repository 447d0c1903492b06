"""Mixed use for a while, and whether the memory of any process grows.

    python bench/soak.py [--minutes 45] [--users 3] [--seed 1] [--model MODEL] [--json FILE]

A server of its own on loopback is used as several people would use it, each with a key: they
upload documents, ask about them, stop answers half way, come back to earlier conversations, and
delete what they brought. The bundled model is too small to be given documents, so that its answers
to most questions are quotations: `--model` (a value of XNAI_MODEL) names one that writes them. The
memory of the server, of the model's process and of the parsers is looked at every two seconds. The
verdict: from the eleventh minute on (in a short run: in the last two fifths) none has grown, and
all of them together never took more than README.md promises. Ends with 1 if one of the two is not
so. Only Linux tells memory this way.
"""

import argparse
import asyncio
import contextlib
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from rig.whole_server import Server

LOOK_SECONDS = 2.0
SETTLING_MINUTES = 10.0
SETTLING_SHARE = 0.6  # of a short run; the model's store of past prompts has to fill
PROMISED = 4_000_000_000  # bytes of all processes together; README.md says so
SLACK_BYTES = 48_000_000  # between two looks at a process that is in use
SLACK_SHARE = 0.03
MEGABYTE = 1e6
KEPT = 6  # documents of one person
ROLES = {"xnai.llm.worker.main": "model", "xnai.documents.parsers.main": "parser"}

_SYLLABLES = [c + v for c in "bdfgklmnprstvw" for v in "aeiou"]
_QUESTIONS = (
    "When was {} founded?",
    "What does {} make, and where?",
    "Who leads {} today? Give the name and one reason.",
    "Summarise what is said about {}.",
)


@dataclass(slots=True)
class Memory:
    """Bytes of each role at each look, and when that was."""

    at: list[float] = field(default_factory=list)
    of: dict[str, list[int]] = field(
        default_factory=lambda: {"server": [], "model": [], "parser": []}
    )

    def look(self, server: psutil.Process, now: float) -> None:
        """Note what each process holds now."""
        held = Counter({"server": server.memory_info().rss})
        for child in server.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                command = " ".join(child.cmdline())
                role = next((r for module, r in ROLES.items() if module in command), None)
                if role is not None:
                    held[role] += child.memory_info().rss
        self.at.append(now)
        for role, values in self.of.items():
            values.append(held[role])

    def since(self, start: float, role: str) -> list[int]:
        """The looks at a role from a moment on."""
        return [value for at, value in zip(self.at, self.of[role], strict=True) if at >= start]

    @property
    def together(self) -> list[int]:
        """All roles, at each look."""
        return [sum(values) for values in zip(*self.of.values(), strict=True)]


def grown(values: Sequence[int]) -> tuple[float, float]:
    """The medians of the first and of the last third."""
    third = max(1, len(values) // 3)
    return statistics.median(values[:third]), statistics.median(values[-third:])


class Person:
    """Somebody with a key of their own, who never stops for long."""

    def __init__(self, url: str, number: int, source: random.Random, done: Counter[str]) -> None:
        key = key_of(number)
        self._source = source
        self._done = done
        self._documents: list[tuple[str, str]] = []  # id and what it is about
        self._past: list[list[dict[str, str]]] = []
        self._client = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=120
        )

    async def run(self) -> None:
        """Go on until cancelled."""
        async with self._client:
            while True:
                try:
                    await self._next()
                except httpx.TransportError as exc:  # on a machine that has no time for it
                    self._done[f"broken off ({type(exc).__name__})"] += 1
                    await asyncio.sleep(1)

    async def _next(self) -> None:
        if len(self._documents) < 2 or self._source.random() < 0.25:
            await self._upload()
        elif len(self._documents) > KEPT:
            await self._delete()
        else:
            await self._ask()

    async def _upload(self) -> None:
        name = word(self._source).capitalize()
        paragraphs = self._source.choice((12, 40, 40, 400))
        file = (f"{name}.txt", document(name, paragraphs, self._source).encode())
        answer = await self._client.post("/v1/files", files={"file": file})
        if answer.status_code != httpx.codes.OK:
            self._done[f"upload refused ({answer.status_code})"] += 1
            await asyncio.sleep(1)
            return
        self._documents.append((answer.json()["id"], name))
        self._done["uploaded"] += 1

    async def _delete(self) -> None:
        file_id, _ = self._documents.pop(self._source.randrange(len(self._documents)))
        await self._client.delete(f"/v1/files/{file_id}")
        self._done["deleted"] += 1

    async def _ask(self) -> None:
        _, name = self._source.choice(self._documents)
        question = self._source.choice(_QUESTIONS).format(name)
        past = self._source.choice(self._past) if self._past and self._source.random() < 0.3 else []
        messages = [*past, {"role": "user", "content": question}]
        most = self._source.choice((20, 60, 200)) if self._source.random() < 0.2 else None
        said = await self._answer(messages, most)
        if said is None:
            return
        self._past.append([*messages, {"role": "assistant", "content": said}][-6:])
        del self._past[:-8]

    async def _answer(self, messages: list[dict[str, str]], stop_after: int | None) -> str | None:
        """The whole answer; None if it was stopped, or refused."""
        said = ""
        body = {"messages": messages, "stream": True, "max_tokens": 200}
        async with self._client.stream("POST", "/v1/chat/completions", json=body) as answer:
            if answer.status_code != httpx.codes.OK:
                self._done[f"question refused ({answer.status_code})"] += 1
                await asyncio.sleep(1)
                return None
            async for line in answer.aiter_lines():
                said += text_of(line)
                if stop_after is not None and len(said) > stop_after:
                    self._done["stopped"] += 1
                    return None
        self._done["answered"] += 1
        return said


def text_of(line: str) -> str:
    """The text of a line of the stream."""
    data = line.removeprefix("data: ")
    if not line.startswith("data: ") or data == "[DONE]":
        return ""
    choices: list[dict[str, Any]] = json.loads(data).get("choices") or [{}]
    return str(choices[0].get("delta", {}).get("content") or "")


def key_of(number: int) -> str:
    """The key of a person; of loopback alone, and gone with the run."""
    return f"soak-person-number-{number:04}"


def word(source: random.Random) -> str:
    """A word that nobody has used."""
    return "".join(source.choices(_SYLLABLES, k=source.randint(3, 5)))


def document(name: str, paragraphs: int, source: random.Random) -> str:
    """A text about something that does not exist."""
    words = [word(source) for _ in range(300)]
    return "\n\n".join(_paragraphs(name, paragraphs, words, source))


def _paragraphs(
    name: str, count: int, words: Sequence[str], source: random.Random
) -> Iterator[str]:
    def some(count: int) -> str:
        return " ".join(source.choices(words, k=count))

    for number in range(count):
        yield (
            f"{name} part {number}: it was founded in {source.randint(1700, 2020)} by "
            f"{some(2).title()}, makes {some(8)} in {some(1).title()}, and has {some(60)}."
        )


async def look(server: psutil.Process, memory: Memory, began: float) -> None:
    """Look every two seconds, and say each minute what is seen."""
    told = 0.0
    while True:
        now = time.monotonic() - began
        memory.look(server, now)
        if now - told >= 60:
            told = now
            seen = "   ".join(f"{role} {v[-1] / MEGABYTE:,.0f} MB" for role, v in memory.of.items())
            print(f"minute {now / 60:4.0f}   {seen}", flush=True)
        await asyncio.sleep(LOOK_SECONDS)


def verdict(memory: Memory, settled: float) -> bool:
    """Print what became of each process; whether all is well."""
    well = True
    for role in ("server", "model"):
        before, after = grown(memory.since(settled, role))
        allowed = before + max(SLACK_BYTES, SLACK_SHARE * before)
        flat = after <= allowed
        well &= flat
        print(
            f"{role:8} {before / MEGABYTE:8,.0f} MB -> {after / MEGABYTE:8,.0f} MB   "
            f"allowed {allowed / MEGABYTE:8,.0f} MB   {'flat' if flat else 'GROWS'}"
        )
    most = max(memory.together)
    kept = most <= PROMISED
    print(
        f"together at most {most / MEGABYTE:,.0f} MB (parsers up to "
        f"{max(memory.of['parser']) / MEGABYTE:,.0f} MB), promised {PROMISED / MEGABYTE:,.0f} MB   "
        f"{'kept' if kept else 'BROKEN'}"
    )
    return well and kept


async def soak(minutes: float, users: int, seed: int, model: str) -> tuple[Memory, Counter[str]]:
    """Run the server and the people; returns what was seen and what was done."""
    memory, done = Memory(), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="xnai-soak-") as folder:
        keys = ",".join(key_of(number) for number in range(users))
        environment = {"XNAI_API_KEYS": keys, "XNAI_LOG_FORMAT": "json", "XNAI_MODEL": model}
        server = Server(Path(folder), environment)
        server.start()
        try:
            await asyncio.to_thread(server.wait, model="ready")
            assert server.process is not None
            began = time.monotonic()
            looking = asyncio.create_task(look(psutil.Process(server.process.pid), memory, began))
            people = [Person(server.url, n, random.Random(seed + n), done) for n in range(users)]
            busy = [asyncio.create_task(person.run()) for person in people]
            await asyncio.wait(
                [looking, *busy], timeout=60 * minutes, return_when=asyncio.FIRST_EXCEPTION
            )
            for task in (looking, *busy):
                task.cancel()
            for end in await asyncio.gather(looking, *busy, return_exceptions=True):
                if not isinstance(end, asyncio.CancelledError):
                    raise SystemExit(f"broken off: {end!r}\n{server.log[-3000:]}")
        finally:
            await asyncio.to_thread(server.stop)
    return memory, done


def main() -> None:
    """Soak, print the verdict, end with 1 on growth."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--users", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", default="bundled", help="a value of XNAI_MODEL")
    parser.add_argument("--json", type=Path, help="write every look into this file")
    arguments = parser.parse_args()
    memory, done = asyncio.run(
        soak(arguments.minutes, arguments.users, arguments.seed, arguments.model)
    )
    print("   ".join(f"{count} {what}" for what, count in sorted(done.items())))
    if arguments.json:
        arguments.json.write_text(json.dumps({"at": memory.at, **memory.of}))
    settled = 60 * min(SETTLING_MINUTES, SETTLING_SHARE * arguments.minutes)
    sys.exit(0 if verdict(memory, settled) else 1)


if __name__ == "__main__":
    main()
