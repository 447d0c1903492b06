"""Somebody gives others' documents something to wait for: orders, and bounds of work."""

import asyncio
import contextlib
import os
import signal
import sys
import uuid
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import psutil
import pytest
from api_server import Program
from chainlit.session import WebsocketSession
from documents_library import GatedEmbedder, followed, opened
from paths import SUPPORT
from shown_pages import FIRST, KEYS, SECOND, reading

from rig.pdf_files import runaway_pdf
from rig.waiting import eventually, stays
from xnai.documents.ingest_stages import BATCH
from xnai.documents.lookups import AT_ONCE
from xnai.documents.text_work import MOST
from xnai.documents.turns import BEYOND, DocumentEmbedder, batches_at_once
from xnai.retrieval.embedding.onnx import usable_cores
from xnai.retrieval.index.sqlite.index import SqliteIndex
from xnai.retrieval.protocol import Embedded
from xnai.retrieval.search import HybridSearch
from xnai.settings import Settings
from xnai.types import Scope
from xnai.ui.attachments import Attachments

PATIENCE = 60  # seconds, on a loaded machine; nothing is measured by it
PARAGRAPH = "Greed is a subject of which much can be said. " * 20
TABLE = b"name,price\n" + b"".join(b"greed %d,%d\n" % (n, n) for n in range(20_000))
SMALL = ("Modesty is a subject of which little is said. " * 210)[:10_000].encode()


class Diary(GatedEmbedder):
    """Counts the greedy's batches; after so many, an event is set.

    ``overtaken`` has, for each batch of the modest, those that were embedded while it waited.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.greedy = 0
        self.overtaken: list[int] = []
        self.after: tuple[int, asyncio.Event] | None = None

    async def embed_chunks(self, texts: Sequence[str]) -> Embedded:
        """Embed, and write it down."""
        found = await super().embed_chunks(texts)
        await asyncio.sleep(0.02)  # as if it were work: the readers are never what is waited for
        self.greedy += "Modesty" not in texts[0]
        if self.after is not None and self.greedy >= self.after[0]:
            self.after[1].set()
        return found


@pytest.fixture
def embedder(tmp_path):
    return Diary(tmp_path)


@pytest.fixture
async def library(tmp_path, embedder):
    async with opened(tmp_path / "data", embedder, parse_timeout=120) as (library, _):
        yield library


@pytest.fixture
def give(library, tmp_path):
    async def give(content: bytes, owner: str, name: str = "a.txt") -> str:
        path = tmp_path / f"source-{hash((content, owner))}"
        path.write_bytes(content)
        return (await library.add(owner, name, path)).id

    return give


def readers() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if any("xnai.documents.parsers.main" in part for part in child.cmdline()):
                found.append(child)
    return found


async def until_readers(count: int) -> None:
    await eventually(lambda: len(readers()) >= count, f"{count} readers")


@pytest.fixture
def counted_turns(monkeypatch, embedder):
    """Have the embedder's diary say what came before each batch of the modest."""
    embed_chunks = DocumentEmbedder.embed_chunks

    async def counted(self: DocumentEmbedder, texts: Sequence[str]) -> Embedded:
        before = embedder.greedy
        found = await embed_chunks(self, texts)
        if "Modesty" in texts[0]:
            embedder.overtaken.append(embedder.greedy - before)
        return found

    monkeypatch.setattr(DocumentEmbedder, "embed_chunks", counted)


@pytest.mark.usefixtures("counted_turns")
@pytest.mark.parametrize("owner", ["modest", "greedy"])
@pytest.mark.parametrize("large", ["table", "texts"])
async def test_a_small_file_is_embedded_among_the_batches_of_large_ones(
    library, give, embedder, owner, large
):
    texts = [f"{n}\n\n".join([PARAGRAPH] * 300).encode() for n in range(3)]
    for number, content in enumerate([TABLE] if large == "table" else texts):
        name = f"{number}.csv" if large == "table" else f"{number}.txt"
        library.ingest_in_background(await give(content, "greedy", name))
    begun = asyncio.Event()
    embedder.after = 4, begun
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
        await followed(library, await give(SMALL, owner, "small.txt"))
    # Half of the embedder at least for another person; for one's own, among two that are long.
    share = 1 if owner == "modest" else 3
    # Beyond those that were with the embedder already, far less than the two hundred that wait.
    assert len(embedder.overtaken) > 1
    assert max(embedder.overtaken) <= share + 2 * batches_at_once(usable_cores(), BATCH)


async def test_small_files_that_use_the_whole_time_limit_keep_their_owner_waiting_alone(
    library, give
):
    hostile = [await give(runaway_pdf(f"page {n}"), "hostile", f"{n}.pdf") for n in range(4)]
    for document_id in hostile:
        library.ingest_in_background(document_id)
    await until_readers(usable_cores())

    async with asyncio.timeout(PATIENCE):
        for number in range(3):
            await followed(library, await give(b"Good day, number %d." % number, "modest"))

    ends = [(await library.get(document_id)).status for document_id in hostile]
    assert set(ends) <= {"uploaded", "processing"}  # none is over, and the modest one is
    assert len(readers()) < usable_cores() + BEYOND


async def test_readers_are_few_however_many_owners_and_documents_there_are(library, give):
    for number in range(30):
        content = runaway_pdf(f"page {number}")
        library.ingest_in_background(await give(content, f"owner {number % 10}", f"{number}.pdf"))
    await until_readers(usable_cores())
    await stays(lambda: len(readers()) <= usable_cores() + BEYOND, "few readers", 1.0)


async def test_what_waits_or_is_read_is_stopped_at_once(library, give, embedder):
    embedder.gate.clear()  # nothing comes to its end by itself
    waiting = [await give(PARAGRAPH.encode() * (n + 200), "greedy", f"{n}.txt") for n in range(9)]
    for document_id in waiting:
        library.ingest_in_background(document_id)
    await embedder.reached.wait()
    async with asyncio.timeout(PATIENCE):
        for document_id in reversed(waiting):
            assert await library.delete(document_id)
    assert await library.documents("greedy") == []
    assert embedder.running == 0
    assert readers() == []


async def test_who_asks_again_and_again_for_a_reading_has_it_followed_once(
    library, embedder, tmp_path
):
    async def hear(*_: object) -> None:
        """A page that is told how the reading goes."""

    made = str(uuid.uuid4())
    session = WebsocketSession(
        id=made,
        socket_id=made,
        emit=hear,
        emit_call=hear,
        user_env={},
        client_type="webapp",
        thread_id="t",
    )
    path = tmp_path / "note"
    path.write_bytes(SMALL)
    attachments = Attachments(library, 1)
    embedder.gate.clear()
    attachments.received(session, "note.txt", path)
    await embedder.reached.wait()
    (document,) = await library.documents(session.id, "thread:t")

    for _ in range(100):
        attachments.again(document.id)
    following = [task for task in asyncio.all_tasks() if task.get_name() == "attachment"]

    assert len(following) == 1
    embedder.gate.set()
    await eventually(following[0].done)
    assert (await library.get(document.id)).status == "processed"
    await attachments.close()


async def test_progress_goes_forward_and_ends_with_all_that_was_read(library, give):
    library.ingest_in_background(await give(TABLE, "greedy", "a.csv"))
    small = await give(SMALL, "modest", "small.txt")
    seen: dict[str, list[int]] = {}
    async with aclosing(library.ingest(small)) as events, asyncio.timeout(PATIENCE):
        async for event in events:
            seen.setdefault(event.stage, []).append(event.done)
    assert seen["parsing"][0] == 0
    assert all(done == sorted(done) for done in seen.values())
    assert seen["embedding"][-1] == seen["storing"][-1] == (await library.get(small)).chunk_count


@pytest.mark.parametrize("what", ["search", "list"])
async def test_searches_and_lists_of_one_person_keep_another_waiting_for_a_few_alone(
    library, give, embedder, what, monkeypatch
):
    await followed(library, await give(SMALL, "greedy", "small.txt"))
    await followed(library, await give(SMALL + b"!", "modest", "small.txt"))
    begun: list[str] = []  # whose turn came, in order: what ends first is for the threads to say
    kind, name = (HybridSearch, "find") if what == "search" else (SqliteIndex, "documents")
    looked_up = getattr(kind, name)

    async def noted(self: object, *args: Any) -> Any:
        begun.append(args[1].owner if what == "search" else args[0])
        return await looked_up(self, *args)

    monkeypatch.setattr(kind, name, noted)

    async def look(owner: str) -> int:
        before = len(begun)
        if what == "search":
            assert await library.search("Modesty", Scope(owner), 4)
        else:
            assert len(await library.all_documents(owner)) == 1
        return before

    embedder.gate.clear()
    greedy = [asyncio.create_task(look("greedy")) for _ in range(200)]
    await asyncio.sleep(0)  # all of them have begun
    modest = asyncio.create_task(look("modest"))
    embedder.gate.set()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*greedy, modest)
    assert begun.index("modest") - modest.result() <= AT_ONCE


async def test_long_texts_of_one_persons_reader_keep_another_waiting_for_a_few_alone(
    library, give, tmp_path
):
    runtime = Program(Settings(_env_file=None, data_dir=tmp_path, **KEYS), library)
    long = "".join(f"- Line {n} of a long text.\n" for n in range(40_000)).encode()
    shown = []
    for text, key in ((long, FIRST), (b"A short text.", SECOND)):
        person = runtime.people.of_key(key["Authorization"].removeprefix("Bearer "))
        document_id = await give(text, person.person_id)
        await followed(library, document_id)
        shown.append((document_id, key))
    ends: list[int] = []
    async with reading(runtime) as http:

        async def show(which: int) -> None:
            document_id, key = shown[which]
            (await http.get(f"/reader/{document_id}", headers=key)).raise_for_status()
            ends.append(which)

        greedy = [asyncio.create_task(show(0)) for _ in range(30)]
        await eventually(lambda: ends, "the first page")
        before = len(ends)
        await show(1)
        assert len(ends) - before <= 2 * MOST
        await asyncio.gather(*greedy)


_KILLED = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from documents_library import GatedEmbedder, opened

async def main():
    folder = Path(sys.argv[1])
    embedder = GatedEmbedder(folder)
    embedder.gate.clear()
    async with opened(folder / "data", embedder) as (library, _):
        for number in range(9):
            source = folder / "source"
            source.write_text(f"Document {number}. " * 400)
            document = await library.add(f"owner {number % 3}", f"{number}.txt", source)
            library.ingest_in_background(document.id)
        await embedder.reached.wait()
        print("reading", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_all_that_waited_or_was_read_is_taken_up_after_a_kill(tmp_path, embedder):
    tests = str(SUPPORT)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _KILLED, str(tmp_path), tests),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(tests).parent)},
    )
    async with asyncio.timeout(PATIENCE):
        await process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        await process.wait()
        async with opened(tmp_path / "data", embedder) as (library, _):
            for owner in range(3):
                for document in await library.documents(f"owner {owner}"):
                    last = (await followed(library, document.id))[-1].document
                    assert last.status == "processed"
            assert len(await library.documents("owner 0")) == 3
