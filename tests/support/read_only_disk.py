"""A data folder whose disk is read-only: `read_only_disk.py FOLDER`, in a namespace of its own.

Prints the code and the words of what each part says as JSON.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from documents_library import DIMENSIONS, GatedEmbedder, followed, opened

from xnai.data_folder.ownership import prepare_folder
from xnai.documents.storage import OriginalFiles
from xnai.errors import XnaiError
from xnai.observability.health import disk_look
from xnai.retrieval.index.sqlite.index import SqliteIndex
from xnai.sqlite import reserve
from xnai.ui.history.sqlite.store import HistoryStore, explained


async def said(work: Callable[[], Awaitable[Any]]) -> list[str]:
    try:
        await work()
    except XnaiError as error:
        return [error.code, error.message]
    return ["", ""]


async def fill(data: Path, source: Path) -> str:
    """Keep a document and a conversation there; returns the document's id."""
    async with opened(data, GatedEmbedder(data / "model")) as (library, _):
        document = await library.add("a" * 32, "tea.txt", source)
        await followed(library, document.id)
    HistoryStore(data / "history.sqlite3").close()
    return document.id


async def walk(data: Path, source: Path, document_id: str) -> dict[str, Any]:
    files = OriginalFiles(data / "documents", 1_000_000)

    async def receive() -> None:
        async with files.receive("tea.txt", source):
            pass

    async def give_up() -> None:
        files.give_up(document_id)

    async def remember() -> None:
        try:
            HistoryStore(data / "history.sqlite3")
        except Exception as exc:
            raise explained(exc, data / "history.sqlite3") from exc

    async def prepare() -> None:
        prepare_folder(data)

    index = SqliteIndex(data / "index.sqlite3", DIMENSIONS)
    told = {
        "index": await said(index.start),
        "upload": await said(receive),
        "deletion": await said(give_up),
        "history": await said(remember),
        "health": await said(disk_look(data, lambda: reserve.tend(data))),
        "start": await said(prepare),
    }
    await index.close()
    return told


if __name__ == "__main__":
    folder = Path(sys.argv[1]) / "data"
    (folder / "model").mkdir(parents=True)
    tea = folder.with_name("tea.txt")
    tea.write_text("Tea is grown in Assam.")
    name = asyncio.run(fill(folder, tea))
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    print(json.dumps(asyncio.run(walk(folder, tea, name))))  # noqa: T201
