import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from documents_library import GatedEmbedder, followed, opened
from paths import SUPPORT

from rig.pdf_files import pdf, runaway_pdf
from rig.waiting import eventually
from xnai.documents.ingest_stages import BATCH
from xnai.documents.turns import batches_at_once
from xnai.errors import SHUTTING_DOWN, XnaiError
from xnai.retrieval.embedding.onnx import usable_cores
from xnai.types import Document, Scope

LONG = "\n\n".join(f"Paragraph {n} " + "speaks of many things. " * 30 for n in range(300)).encode()


@pytest.fixture
def embedder(tmp_path):
    return GatedEmbedder(tmp_path)


@pytest.fixture
async def library(tmp_path, embedder):
    async with opened(tmp_path / "data", embedder, documents_max=3) as (library, _):
        yield library


@pytest.fixture
def add(library, tmp_path):
    async def add(  # noqa: PLR0913 - as the library's own
        content: bytes,
        name: str = "a.txt",
        owner: str = "o",
        *,
        former: Sequence[Document] = (),
        own_name: bool = False,
        collection: str = "",
    ) -> Document:
        path = tmp_path / f"source-{hash(content)}"
        path.write_bytes(content)
        return await library.add(
            owner, name, path, former, own_name=own_name, collection=collection
        )

    return add


def files_under(folder: Path) -> list[str]:
    """Originals and what else lies there, without the folder's mark and the originals' cards."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != ".claim"]
    return sorted(path.name for path in found if path.suffix != ".json")


async def status(library, document) -> str:
    record = await library.get(document.id)
    return "gone" if record is None else record.status


async def until(library, document, wanted: str):
    async def has_come() -> bool:
        return await status(library, document) == wanted

    await eventually(has_come, f"the document is {wanted}")


async def test_the_same_file_twice_is_one_document_for_each_owner(library, add):
    first = await add(b"Tea is grown in Assam.", "tea.txt")
    await followed(library, first.id)

    again = await add(b"Tea is grown in Assam.", "copy of tea.txt")

    assert (again.id, again.status) == (first.id, "processed")
    assert (await add(b"Tea is grown in Assam.", "tea.txt", "p")).id != first.id
    assert len(files_under(library.original(first).parents[1])) == 2


async def test_a_new_version_replaces_the_old_one_when_it_is_read_and_not_before(library, add):
    old = await add(b"Tea is grown in Assam.", "tea.txt")
    await followed(library, old.id)
    new = await add(b"Tea is grown in Ceylon.", "tea.txt", former=[old])
    other = await add(b"Coffee is grown in Brazil.", "coffee.txt")
    await followed(library, other.id)
    assert await status(library, old) == "processed"

    last = (await followed(library, new.id))[-1].document

    assert (last.replaces, (await library.get(new.id)).replaces) == ((old.id,), ())
    assert [await status(library, d) for d in (old, new, other)] == [
        "gone", "processed", "processed",
    ]  # fmt: skip
    found = await library.search("Where is tea grown?", Scope("o"), 5)
    assert "Assam" not in " ".join(passage.text for passage in found)


ASSAM, CEYLON = b"Tea is grown in Assam.", b"Tea is grown in Ceylon."


async def kept(library, folder="o") -> dict[str, list[bytes]]:
    """The contents of an owner's documents by their names."""
    contents: dict[str, list[bytes]] = {}
    for document in await library.documents(folder):
        content = library.original(document).read_bytes()
        contents.setdefault(document.file_name, []).append(content)
    return contents


async def test_known_content_under_another_name_replaces_what_has_that_name(library, add):
    old, other = await add(ASSAM, "tea.txt"), await add(CEYLON, "ceylon.txt")
    for document in (old, other):
        await followed(library, document.id)

    new = await add(CEYLON, "tea.txt", former=[old, other])
    await followed(library, new.id)

    assert await kept(library) == {"tea.txt": [CEYLON], "ceylon.txt": [CEYLON]}


@pytest.mark.parametrize("own_name", [True, False])
async def test_known_content_is_there_under_another_name_too_if_that_is_wished(
    library, add, own_name
):
    other = await add(CEYLON, "ceylon.txt")
    await followed(library, other.id)

    new = await add(CEYLON, "tea.txt", former=[other], own_name=own_name)

    assert (new.id == other.id) == (not own_name)
    assert new.file_name == ("tea.txt" if own_name else "ceylon.txt")


async def test_of_several_documents_of_a_name_the_content_sent_last_stays(library, add):
    both = [await add(ASSAM, "tea.txt"), await add(CEYLON, "tea.txt")]
    for document in both:
        await followed(library, document.id)

    new = await add(ASSAM, "tea.txt", former=both, own_name=True)
    await followed(library, new.id)

    assert await kept(library) == {"tea.txt": [ASSAM]}


async def test_a_version_is_taken_back_while_the_next_one_is_still_being_read(
    library, add, embedder
):
    old = await add(ASSAM, "tea.txt")
    await followed(library, old.id)
    embedder.gate.clear()
    next_one = await add(CEYLON, "tea.txt", former=[old], own_name=True)
    library.ingest_in_background(next_one.id)

    back = await add(ASSAM, "tea.txt", former=[old, next_one], own_name=True)
    library.ingest_in_background(back.id)
    embedder.gate.set()

    await until(library, back, "processed")
    await until(library, next_one, "gone")
    await until(library, old, "gone")
    assert await kept(library) == {"tea.txt": [ASSAM]}


async def test_the_same_version_again_is_the_document_that_is_there(add):
    first = await add(ASSAM, "tea.txt")

    again = await add(ASSAM, "tea.txt", former=[first], own_name=True)

    assert (again.id, again.replaces) == (first.id, ())


async def test_a_new_version_that_cannot_be_read_leaves_the_old_one_alone(library, add):
    old = await add(b"Tea is grown in Assam.", "tea.pdf")
    await followed(library, old.id)
    broken = await add(b"%PDF-1.4 and no more", "tea.pdf", former=[old])

    with pytest.raises(XnaiError):
        await followed(library, broken.id)

    assert await status(library, old) == "processed"


async def test_files_of_one_name_are_two_documents_unless_one_is_said_to_be_the_former(
    library, add
):
    one = await add(b"Tea is grown in Assam.", "one/README.md")
    other = await add(b"Coffee is grown in Brazil.", "other/README.md")

    last = [(await followed(library, d.id))[-1].document for d in (one, other)]

    assert [d.replaces for d in last] == [(), ()]
    assert [await status(library, d) for d in (one, other)] == ["processed", "processed"]


async def test_only_what_is_the_owners_and_has_the_name_is_replaced(add):
    another = await add(b"Coffee is grown in Brazil.", "coffee.txt")
    strangers = await add(b"Tea is grown in Assam.", "tea.txt", "p")

    new = await add(b"Tea is grown in Ceylon.", "tea.txt", former=[another, strangers])

    assert new.replaces == ()


async def test_a_former_version_that_cannot_be_deleted_does_not_make_the_new_one_fail(library, add):
    old = await add(b"Tea is grown in Assam.", "tea.txt")
    await followed(library, old.id)
    new = await add(b"Tea is grown in Ceylon.", "tea.txt", former=[old])
    library.original(old).unlink()
    library.original(old).mkdir()  # which nobody can unlink

    await followed(library, new.id)

    assert await status(library, new) == "processed"


async def test_a_start_takes_up_what_was_to_be_replaced(tmp_path, embedder):
    source = tmp_path / "source"
    async with opened(tmp_path / "data", embedder) as (library, index):
        source.write_bytes(b"Tea is grown in Assam.")
        old = await library.add("o", "tea.txt", source)
        await followed(library, old.id)
        source.write_bytes(b"Tea is grown in Ceylon.")
        new = await library.add("o", "tea.txt", source, [old])
        await followed(library, new.id)
        # As if it had been killed between the two: the former is there still.
        await index.put_document(replace(await library.get(new.id), replaces=(old.id,)))
        await index.put_document(replace(old, status="processed"))
        library.original(old).write_bytes(b"Tea is grown in Assam.")

    async with opened(tmp_path / "data", embedder) as (library, _):
        await until(library, old, "gone")
        assert await status(library, new) == "processed"


async def test_a_document_is_read_embedded_and_found(library, add):
    document = await add(pdf([["Tea is grown in Assam."], [], ["Coffee is not."]]), "../tea.pdf")
    assert ("uploaded", "tea.pdf") == (document.status, document.file_name)
    last = (await followed(library, document.id))[-1]
    stored = await library.get(document.id)
    assert stored == last.document
    assert ("processed", 3, 2) == (stored.status, stored.page_count, stored.chunk_count)
    assert ("No text was found on page 2 (pictures only?).",) == stored.notes
    [first, *_] = await library.search("Assam tea", Scope("o"), 2)
    assert (1, "Tea is grown in Assam.") == (first.page, first.text)


async def test_every_passage_is_the_slice_of_its_pages_text(library, add):
    pages = [
        [f"Line {n} speaks of subject {n * page} at some length {page}." for n in range(50)]
        for page in range(11, 15)
    ]
    document = await add(pdf(pages))
    await followed(library, document.id)
    passages = await library.search("subject at some length", Scope("o"), 20)
    texts = {n: await library.page_text(document.id, n) for n in range(1, 5)}
    assert [p.text for p in passages] == [texts[p.page][p.start : p.end] for p in passages]
    assert {1, 2, 3, 4} == {p.page for p in passages}


async def test_progress_tells_every_stage_and_ends_with_the_document(library, add):
    document = await add(LONG)
    events = await followed(library, document.id)
    assert {"parsing", "chunking", "embedding", "storing"} == {e.stage for e in events}
    ends = {e.stage: (e.done, e.total) for e in events}
    count = events[-1].document.chunk_count
    assert {
        "parsing": (1, 1),
        "chunking": (count, count),
        "embedding": (count, count),
        "storing": (count, count),
    } == ends


async def test_embedding_begins_before_the_last_page_is_read(library, add, embedder):
    embedder.gate.clear()
    document = await add(pdf([["many words on this line " * 3] * 50] * 300))
    events = []

    async def collect() -> None:
        async with aclosing(library.ingest(document.id)) as following:
            async for event in following:
                events.append(event)  # noqa: PERF401 - what came before the end counts

    collecting = asyncio.create_task(collect())
    await embedder.reached.wait()
    await eventually(lambda: any(event.stage == "parsing" and event.done for event in events))
    await asyncio.sleep(0.5)  # the reader goes on until the queue is full
    collecting.cancel()
    await asyncio.wait([collecting])
    assert 0 < max(event.done for event in events if event.stage == "parsing") < 300


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"", "a.txt", "file_empty"),
        (b"GIF89a" + bytes(99), "a.pdf", "file_type_unsupported"),
        (b"x" * 2_000_001, "a.txt", "file_too_large"),
    ],
)
async def test_a_file_refused_on_the_way_in_leaves_nothing(tmp_path, embedder, content, name, code):
    source = tmp_path / "source"
    source.write_bytes(content)
    async with opened(tmp_path / "data", embedder, upload_max_mb=2) as (library, index):
        with pytest.raises(XnaiError) as caught:
            await library.add("o", name, source)
        assert (code, []) == (caught.value.code, await index.documents())
        assert [] == files_under(tmp_path / "data" / "documents")


async def test_an_owner_keeps_only_so_many_documents(add):
    adding = (add(b"text %d" % n) for n in range(5))
    ends = await asyncio.gather(*adding, return_exceptions=True)
    refused = [end.code for end in ends if isinstance(end, XnaiError)]
    assert ["too_many_files"] * 2 == refused
    assert "uploaded" == (await add(b"text", owner="another")).status


async def test_a_failure_is_recorded_and_raised(library, add):
    document = await add(pdf([["x"]], encrypted=True))
    with pytest.raises(XnaiError) as caught:
        await followed(library, document.id)
    record = await library.get(document.id)
    assert ("error", "file_encrypted") == (record.status, record.error_code)
    assert (caught.value.message, caught.value.hint) == (record.error_message, record.error_hint)


async def test_an_unexpected_failure_says_nothing_of_its_insides(library, add, embedder):
    document = await add(b"secret words")
    embedder.failure = RuntimeError("secret words in the message")
    with pytest.raises(XnaiError) as caught:
        await followed(library, document.id)
    record = await library.get(document.id)
    assert ("internal", "error") == (caught.value.code, record.status)
    assert "secret" not in record.error_message + record.error_hint


async def test_a_failed_document_can_be_tried_again(library, add, embedder):
    document = await add(b"words")
    embedder.failure = RuntimeError()
    with pytest.raises(XnaiError):
        await followed(library, document.id)
    embedder.failure = None
    record = (await followed(library, document.id))[-1].document
    assert ("processed", "") == (record.status, record.error_code)


async def test_an_engine_that_shuts_down_leaves_the_document_for_the_next_start(
    library, add, embedder
):
    document = await add(b"words")
    embedder.failure = XnaiError(SHUTTING_DOWN)
    with pytest.raises(XnaiError):
        await followed(library, document.id)
    assert "uploaded" == await status(library, document)


async def test_two_ingests_of_one_document_are_one(library, add, embedder):
    document = await add(LONG)
    first, second = await asyncio.gather(*(followed(library, document.id) for _ in range(2)))
    assert first[-1] == second[-1]
    assert sum(embedder.batches) == first[-1].document.chunk_count


async def test_ingest_of_a_processed_document_only_tells_that_it_is(library, add, embedder):
    document = await add(b"words")
    await followed(library, document.id)
    embedder.batches.clear()
    assert "processed" == (await followed(library, document.id))[-1].document.status
    assert [] == embedder.batches


async def test_few_batches_are_embedded_at_a_time_however_many_documents_there_are(
    library, add, embedder
):
    documents = [await add(LONG + b"%d" % n) for n in range(3)]
    await asyncio.gather(*(followed(library, document.id) for document in documents))
    assert embedder.most_running <= batches_at_once(usable_cores(), BATCH)


async def test_closing_an_ingest_stops_it_and_leaves_the_document_uploaded(library, add, embedder):
    embedder.gate.clear()
    document = await add(LONG)
    async with aclosing(library.ingest(document.id)) as events:
        await anext(events)
        await embedder.reached.wait()
        assert "processing" == await status(library, document)
    assert ("uploaded", 0) == (await status(library, document), embedder.running)
    embedder.gate.set()
    assert "processed" == (await followed(library, document.id))[-1].document.status


async def test_deleting_stops_the_ingest_and_leaves_nothing(library, add, embedder, tmp_path):
    embedder.gate.clear()
    document = await add(LONG)
    following = asyncio.create_task(followed(library, document.id))
    await embedder.reached.wait()
    assert await library.delete(document.id)
    with pytest.raises(XnaiError) as caught:
        await following
    embedder.gate.set()
    assert ("not_found", "gone") == (caught.value.code, await status(library, document))
    assert ([], []) == (
        files_under(tmp_path / "data" / "documents"),
        await library.search("things", Scope("o"), 5),
    )
    assert not await library.delete(document.id)


async def test_deleting_a_chats_documents_leaves_the_others(library, add):
    await add(b"one", collection="thread:1"), await add(b"two", collection="thread:1")
    kept = [await add(b"three", collection="thread:2"), await add(b"four")]
    assert 2 == await library.delete_collection("thread:1")
    assert 0 == await library.delete_collection("")
    left = [await library.documents("o", place) for place in ("thread:1", "thread:2", "")]
    assert [[], [kept[0]], [kept[1]]] == left


async def test_what_the_model_has_read_of_a_document_is_deleted_with_it(library, add, tmp_path):
    gone, kept = await add(b"one"), await add(b"two")
    prefixes = tmp_path / "data" / "prefixes"
    for model in ("large", "small"):
        (prefixes / model).mkdir(parents=True)
        for document in (gone, kept):
            (prefixes / model / f"{document.id}.state").write_bytes(b"one two")
    await library.delete(gone.id)
    assert {path.stem for path in prefixes.glob("*/*")} == {kept.id}
    assert len(list(prefixes.glob("*/*"))) == 2


async def test_pictures_of_a_page_are_deleted_with_their_document(library, add, tmp_path):
    document = await add(pdf([["words"]]))
    png = await library.page_image(document, 1, 0, 5)
    assert b"\x89PNG" == png[:4]
    await library.delete(document.id)
    assert [] == files_under(tmp_path / "data" / "page_images")


@pytest.mark.parametrize("ask", ["page_image", "page_layer"])
async def test_a_text_has_no_pages_to_draw(library, add, ask):
    with pytest.raises(XnaiError) as caught:
        await getattr(library, ask)(await add(b"words"), 1, 0, 1)
    assert "bad_request" == caught.value.code


async def library_read(library, document):
    async with aclosing(library.ingest(document.id)) as events:
        async for _ in events:
            pass


async def test_words_of_a_page_are_found_where_they_stand_on_it(library, add):
    document = await add(pdf([["first line here"], ["upper words", "lower words"]]))
    await library_read(library, document)
    text = await library.page_text(document.id, 2)
    upper, lower = (text.index(words) for words in ("upper", "lower"))
    (above,) = (await library.page_layer(document, 2, upper, upper + 5)).marks
    (below,) = (await library.page_layer(document, 2, lower, lower + 5)).marks
    both = await library.page_layer(document, 2, upper, lower + 11)
    nothing = await library.page_layer(document, 2, 0, 0)
    assert above[0] < above[2]
    assert above[1] < above[3] <= below[1] < below[3]
    assert abs(above[0] - below[0]) < 50
    assert (len(both.marks), nothing.marks, nothing.words) == (2, (), ())


async def test_all_documents_are_those_of_every_chat(library, add):
    mine = [await add(b"one", collection="thread:1"), await add(b"two")]
    await add(b"three", owner="other")
    assert [one.id for one in await library.all_documents("o")] == [one.id for one in mine]


async def test_closing_the_library_ends_its_workers_and_keeps_the_document(tmp_path, embedder):
    source = tmp_path / "source"
    source.write_bytes(runaway_pdf("hello"))
    others = set(psutil.Process().children())  # servers of other tests

    def workers() -> set[psutil.Process]:
        return set(psutil.Process().children()) - others

    async with opened(tmp_path / "data", embedder) as (library, _):
        document = await library.add("o", "a.pdf", source)
        library.ingest_in_background(document.id)
        await eventually(workers, "a reader")
    assert set() == workers()
    async with opened(tmp_path / "data", embedder) as (library, _):
        assert (await status(library, document)) in {"uploaded", "processing"}


async def test_starting_removes_no_record_and_no_file_but_uploads_that_were_cut_off(
    tmp_path, embedder
):
    source = tmp_path / "source"
    source.write_bytes(b"words")
    data = tmp_path / "data"
    async with opened(data, embedder) as (library, _):
        kept = await library.add("o", "a.txt", source)
        source.write_bytes(b"other words")
        lost = await library.add("o", "b.txt", source)
        library.original(lost).unlink()
        (data / "documents" / "ab").mkdir(exist_ok=True)
        (data / "documents" / "ab" / "orphan").write_bytes(b"x")
        (data / "documents" / ".incoming" / "half").write_bytes(b"x")
    async with opened(data, embedder) as (library, _):
        await until(library, kept, "processed")
        assert (sorted([kept.id, "orphan"]), "missing") == (
            files_under(data / "documents"),
            await status(library, lost),
        )


async def test_a_second_process_leaves_the_firsts_work_alone(tmp_path, embedder):
    source = tmp_path / "source"
    source.write_bytes(LONG)
    embedder.gate.clear()
    async with opened(tmp_path / "data", embedder) as (first, _):
        document = await first.add("o", "a.txt", source)
        first.ingest_in_background(document.id)
        await embedder.reached.wait()
        other = GatedEmbedder(tmp_path)
        async with opened(tmp_path / "data", other) as (second, _):
            assert ("processing", []) == (await status(second, document), other.batches)


_CRASHING = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from documents_library import GatedEmbedder, opened

async def main():
    folder = Path(sys.argv[1])
    embedder = GatedEmbedder(folder)
    embedder.gate.clear()
    async with opened(folder / "data", embedder) as (library, _):
        document = await library.add("o", "a.pdf", folder / "source")
        library.ingest_in_background(document.id)
        await embedder.reached.wait()
        print(document.id, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_an_ingest_killed_half_way_is_taken_up_by_the_next_start(tmp_path, embedder):
    (tmp_path / "source").write_bytes(pdf([["many words on this line " * 3] * 50] * 300))
    tests = str(SUPPORT)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _CRASHING, str(tmp_path), tests),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(tests).parent)},
    )
    document_id = (await process.stdout.readline()).decode().strip()
    workers = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGKILL)
    await process.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, workers, 5)
    assert (1, []) == (len(workers), [p for p in alive if p.status() != psutil.STATUS_ZOMBIE])
    async with opened(tmp_path / "data", embedder) as (library, index):
        document = await library.get(document_id)
        assert 0 == await index.count()
        await until(library, document, "processed")
        record = await library.get(document_id)
        assert (300, record.chunk_count) == (record.page_count, await index.count())


async def test_progress_grows_to_the_end_and_pages_are_counted_at_once(library, add):
    document = await add(pdf([["Tea is grown in Assam, line by line."] * 40] * 30))
    events = await followed(library, document.id)

    told = [event for event in events if event.document is None]
    shares = [event.share for event in told]
    assert shares == sorted(shares)
    assert 0 < max(shares) < 1
    assert {event.page_count for event in told if event.began} == {30}
    assert library.progress(document.id) is None
