"""How long a small file waits, whatever one other person has given to read.

    python bench/reading_queue.py [--rounds 5] [--folder DIR] [--only CASE]

A server of its own with two keys. One person gives what takes long: a large CSV, a PDF of a
thousand pages, five hundred files, four small ones that use the whole time limit. Meanwhile another
brings a text of 10 kB, and the time from sending it to "processed" is taken: at most 5 s, and at
most 10 s while an answer is being written. Ends with 1 if a round took longer.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import httpx

from rig.pdf_files import pdf, runaway_pdf
from rig.whole_server import Server
from xnai.retrieval.embedding import weights

GREEDY, MODEST = "the-key-of-the-greedy-one", "the-key-of-the-modest-one"
ALONE_SECONDS, BESIDE_SECONDS = 5.0, 10.0
SETTLING = 6.0  # seconds that the greedy one's files are being read before the small one comes
SMALL = 10_000  # bytes
TEXT = "A harbour has {} boats, of which number {} is repaired by its owner each spring. "

Files = Sequence[tuple[str, bytes]]


def table() -> Files:
    """Nine million characters of rows."""
    rows = "".join(
        f"boat {n},{n * 7},in the harbour of Norwick since {n}\n" for n in range(170_000)
    )
    return [("boats.csv", b"name,number,note\n" + rows.encode())]


def long_pdf() -> Files:
    """A thousand pages."""
    lines = [TEXT.format(n, n) for n in range(40)]
    return [("long.pdf", pdf([[f"Page {page}", *lines] for page in range(1000)]))]


def many() -> Files:
    """Files of every size, as many as one may keep."""
    return [(f"{n}.txt", TEXT.format(n, n).encode() * (10 + n)) for n in range(400)]


def hostile() -> Files:
    """Files of some kilobytes that no reader comes to the end of."""
    return [(f"{n}.pdf", runaway_pdf(f"page {n}")) for n in range(4)]


CASES: dict[str, Callable[[], Files]] = {
    "nothing": list,
    "table": table,
    "pdf": long_pdf,
    "many": many,
    "hostile": hostile,
}


class Person:
    """Somebody with a key."""

    def __init__(self, server: Server, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._client = httpx.AsyncClient(base_url=server.url, headers=headers, timeout=120)

    async def give(self, name: str, content: bytes) -> str:
        """Upload; returns the id."""
        answer = await self._client.post("/v1/files", files={"file": (name, content)})
        answer.raise_for_status()
        return str(answer.json()["id"])

    async def seconds_to_read(self, name: str, content: bytes) -> float:
        """Seconds from sending a file to having it read."""
        began = time.perf_counter()
        file_id = await self.give(name, content)
        while (await self._client.get(f"/v1/files/{file_id}")).json()["status"] != "processed":
            await asyncio.sleep(0.05)
        return time.perf_counter() - began

    async def delete_all(self) -> None:
        """Delete what is there."""
        for file in (await self._client.get("/v1/files")).json()["data"]:
            await self._client.delete(f"/v1/files/{file['id']}")

    @contextlib.asynccontextmanager
    async def answered(self) -> AsyncIterator[None]:
        """Have answers written for as long as the block runs."""

        async def ask() -> None:
            body = {
                "messages": [{"role": "user", "content": "Tell a very long story of a harbour."}],
                "max_tokens": 1500,
                "stream": True,
                "retrieval": False,
            }
            while True:
                async with self._client.stream("POST", "/v1/chat/completions", json=body) as answer:
                    async for _ in answer.aiter_lines():
                        pass

        asking = asyncio.create_task(ask())
        try:
            await asyncio.sleep(3)
            yield
        finally:
            asking.cancel()
            await asyncio.wait([asking])


async def measure(server: Server, case: str, rounds: int) -> bool:
    """Print one case's two lines; whether both promises were kept."""
    greedy, modest = Person(server, GREEDY), Person(server, MODEST)
    await modest.seconds_to_read("warm.txt", b"Warm up.")
    for name, content in CASES[case]():
        await greedy.give(name, content)
    await asyncio.sleep(SETTLING if case != "nothing" else 0)
    kept = True
    for beside, limit in (("", ALONE_SECONDS), ("beside an answer", BESIDE_SECONDS)):
        async with modest.answered() if beside else contextlib.nullcontext():
            taken = [
                await modest.seconds_to_read(f"{beside}{n}.txt", small(f"{case}{beside}{n}"))
                for n in range(rounds)
            ]
        met = max(taken) <= limit
        kept &= met
        print(
            f"{case:10} {beside:18} median {statistics.median(taken):6.2f} s   most "
            f"{max(taken):6.2f} s   promised {limit:4.0f} s   {'met' if met else 'MISSED'}",
            flush=True,
        )
    await greedy.delete_all()
    await modest.delete_all()
    return kept


def small(seed: str) -> bytes:
    """A text of 10 kB."""
    return "".join(TEXT.format(seed, n) for n in range(200))[:SMALL].encode()


async def quantised(folder: Path) -> None:
    """Wait until the embedder has made its own form of its model, which takes a core."""
    async with asyncio.timeout(300):
        while weights.quantized(folder) is None:
            await asyncio.sleep(0.5)
    await asyncio.sleep(2)  # loaded, too


async def run(cases: Sequence[str], rounds: int, folder: Path) -> bool:
    """Measure the cases on one server."""
    server = Server(folder, {"XNAI_API_KEYS": f"{GREEDY},{MODEST}", "XNAI_LOG_FORMAT": "json"})
    server.start()
    try:
        await asyncio.to_thread(server.wait, model="ready")
        await quantised(folder / "data" / "embedding")
        return all([await measure(server, case, rounds) for case in cases])
    finally:
        await asyncio.to_thread(server.stop)


def main() -> None:
    """Measure, and end with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=CASES, action="append", help="one case; may be repeated")
    parser.add_argument("--folder", type=Path, help="keep data here; the next run starts faster")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xnai-bench-") as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        kept = asyncio.run(run(given.only or list(CASES), given.rounds, folder))
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
