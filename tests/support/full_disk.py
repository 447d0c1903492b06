"""A library and a history on a disk that gets full: `full_disk.py FOLDER`, a small disk of its own.

Prints what came of each step as JSON.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from documents_library import GatedEmbedder, followed, opened

from xnai.accounts.principal import Principal
from xnai.errors import XnaiError
from xnai.retrieval.libraries import NamedLibrary
from xnai.sqlite import reserve
from xnai.types import Scope
from xnai.ui.history.sqlite.store import HistoryStore

OWNER = "a" * 32
SENTENCE = "The lamp of Norwick Lighthouse was replaced, said number {0} of the fishermen. "


def fill(disk: Path) -> None:
    """Leave not one byte of a disk."""
    with (disk / "filler").open("ab", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


async def outcome(work: Awaitable[Any]) -> Any:
    try:
        done = await work
    except XnaiError as error:
        return error.code
    return done if isinstance(done, bool) else True


def conversation(history: HistoryStore, who: Principal) -> str:
    history.threads.put_user(who.person_id, {})
    history.threads.put(who, "b" * 32, "of lamps", {"words": "lamp " * 20_000}, None)
    return "b" * 32


async def walk(disk: Path) -> dict[str, Any]:
    data = disk / "data"
    data.mkdir()
    (data / "model").mkdir()
    told: dict[str, Any] = {"kept": reserve.take(data)}
    who = Principal(OWNER, "person")
    history = HistoryStore(data / "history.sqlite3")
    thread = conversation(history, who)
    texts = {
        "little.txt": SENTENCE.format(1),
        "large.txt": "".join(map(SENTENCE.format, range(8_000))),
        "other.txt": SENTENCE.format(2),
    }
    async with opened(data, GatedEmbedder(data / "model")) as (library, index):
        ids = {}
        for name, text in texts.items():
            source = data / name
            source.write_text(text)
            ids[name] = (await library.add(OWNER, name, source)).id
            source.unlink()
            await followed(library, ids[name])
        named = NamedLibrary("c" * 32, OWNER, "lamps", "lamps", 1.0, 1.0)
        await index.libraries.create(named)
        fill(disk)
        told["added"] = await outcome(library.add(OWNER, "more.txt", Path(__file__)))
        told["library"] = await outcome(index.libraries.remove(named.id))
        for name in ("little.txt", "large.txt"):
            fill(disk)
            told[name] = await outcome(library.delete(ids[name]))
            told[f"kept after {name}"] = reserve.kept(data)
        fill(disk)
        history.remove_thread(who, thread)
        told["thread"] = history.threads.author(thread) == ""
        told["free"] = os.statvfs(disk).f_bavail
        told["found"] = len(await index.search_text("lamp", Scope(OWNER), 9))
        fill(disk)
        before = reserve.kept(data)
        reserve.lend_to_start(data)
        told["start"] = [before - reserve.kept(data), reserve.kept(data)]
        (disk / "filler").unlink()
        source = data / "more.txt"
        source.write_text(SENTENCE.format(3))
        document = await library.add(OWNER, "more.txt", source)
        told["read"] = (await followed(library, document.id))[-1].document is not None
        log = Path(f"{data / 'index.sqlite3'}-wal")
        told["traces"] = [
            path.name
            for path in (data / "index.sqlite3", log)
            if b"number 7999 of" in path.read_bytes()
        ]
    history.close()
    return told


if __name__ == "__main__":
    print(json.dumps(asyncio.run(walk(Path(sys.argv[1])))))  # noqa: T201
