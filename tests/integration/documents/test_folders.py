"""A library in step with a folder: what is taken, what follows a move, and what never goes."""

import errno
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from documents_library import GatedEmbedder, followed, opened

from xnai.accounts import Principal
from xnai.documents.folders.in_step import bring_in_step
from xnai.documents.folders.keeping import SyncedLibraries
from xnai.documents.folders.mirror import LocalKeeper
from xnai.documents.folders.plan import Change
from xnai.documents.libraries import Libraries
from xnai.documents.shelving import Shelving
from xnai.errors import DISK_FULL, NOT_FOUND, SYNC_FOLDER_UNUSABLE, XnaiError
from xnai.retrieval.document_lists import DocumentQuery
from xnai.retrieval.synced import SyncedFile, SyncSource

ANN, BOB = Principal("ann", "key"), Principal("bob", "key")


class Yard:
    """A folder, a library, and what brings the one in step with the other."""

    def __init__(self, folder, library, libraries, synced, source) -> None:
        self.folder, self.library, self.libraries = folder, library, libraries
        self.synced, self.source = synced, source
        self.keeper = LocalKeeper(synced, ANN, source)
        self.index = None

    def put(self, path, text="The lamp is lit at dusk."):
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        os.utime(place, (1_700_000_000, 1_700_000_000))
        return place

    async def sync(self, *, delete=False, keeper=None, **more):
        keeper = keeper or self.keeper
        return await bring_in_step(self.folder, keeper, lambda *_: None, lambda _: delete, **more)

    async def documents(self):
        return {
            one.file_name: one
            for one, _ in await self.libraries.standing(ANN, self.source.library_id)
        }


@pytest.fixture
async def yard(tmp_path):
    async with opened(tmp_path / "data", GatedEmbedder(tmp_path)) as (library, index):
        libraries = Libraries(index.libraries, library)
        synced = SyncedLibraries(index.synced, libraries, library)
        made = await synced.find_or_make(ANN, "Yard")
        folder = tmp_path / "folder"
        folder.mkdir()
        yard = Yard(folder, library, libraries, synced, SyncSource(made.id, "a folder"))
        yard.index = index
        yield yard


async def test_only_what_has_changed_is_sent(yard):
    yard.put("a.txt", "One.")
    yard.put("sub/b.txt", "Two.")
    first = await yard.sync()
    before = await yard.documents()

    sent = []

    class Counting(LocalKeeper):
        async def send(self, file, content) -> SyncedFile:
            sent.append(file.path)
            return await super().send(file, content)

    counting = Counting(yard.synced, ANN, yard.source)
    second = await yard.sync(keeper=counting)
    yard.put("a.txt", "Another one.")
    os.utime(yard.folder / "sub/b.txt", (1, 1))  # touched, and the same
    third = await yard.sync(keeper=counting)

    assert (sorted(first.added), second.unchanged) == (["a.txt", "sub/b.txt"], 2)
    assert (third.changed, third.unchanged, sent) == (["a.txt"], 1, ["a.txt"])
    after = await yard.documents()
    await followed(yard.library, after["a.txt"].id)
    after = await yard.documents()
    assert after["b.txt"].id == before["b.txt"].id
    assert after["a.txt"].id != before["a.txt"].id
    assert len(after) == 2  # the new version took the place of the former


async def test_a_file_that_was_moved_keeps_its_document(yard):
    yard.put("inbox/letter.txt")
    await yard.sync()
    [before] = (await yard.documents()).values()
    (yard.folder / "filed").mkdir()
    (yard.folder / "inbox/letter.txt").rename(yard.folder / "filed/answered.txt")

    summary = await yard.sync(delete=True)

    [after] = (await yard.documents()).values()
    assert summary.moved == [("inbox/letter.txt", "filed/answered.txt")]
    assert (after.id, after.file_name) == (before.id, "answered.txt")
    assert summary.deleted == 0
    assert (await yard.sync()).unchanged == 1


async def test_nothing_is_deleted_unless_it_is_asked_for(yard):
    yard.put("a.txt", "One.")
    yard.put("b.txt", "Two.")
    await yard.sync()
    (yard.folder / "b.txt").unlink()

    kept = await yard.sync()
    there = set(await yard.documents())
    deleted = await yard.sync(delete=True)

    assert (kept.gone, there) == (["b.txt"], {"a.txt", "b.txt"})
    assert (deleted.deleted, set(await yard.documents())) == (1, {"a.txt"})


async def test_a_copy_is_one_document_and_stays_while_one_of_them_is_there(yard):
    yard.put("a.txt")
    yard.put("b.txt")
    summary = await yard.sync()
    [document] = (await yard.documents()).values()
    (yard.folder / document.file_name).unlink()
    deleted = await yard.sync(delete=True)

    [after] = (await yard.documents()).values()
    assert len(summary.added) == 2
    assert (after.id, deleted.deleted) == (document.id, 0)
    assert (yard.folder / after.file_name).exists()


@pytest.mark.parametrize("how", ["empty", "gone", "closed below", "empty below"])
async def test_a_folder_that_cannot_be_seen_is_not_read_as_emptied(yard, how, monkeypatch):
    yard.put("a.txt", "One.")
    yard.put("disk/b.txt", "Two.")
    await yard.sync()
    (yard.folder / "disk/b.txt").rename(yard.folder.parent / "b.txt")
    if how in {"empty", "gone"}:
        (yard.folder / "a.txt").unlink()
        (yard.folder / "disk").rmdir()
    if how == "gone":
        yard.folder.rmdir()
    if how == "closed below":
        # To root, who may run this, every folder is open.
        scandir, closed = os.scandir, yard.folder / "disk"

        def as_others_see_it(path: Any) -> Any:
            if path == closed:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", as_others_see_it)
    if how in {"empty", "gone"}:
        with pytest.raises(XnaiError) as caught:
            await yard.sync(delete=True)
        assert caught.value.kind is SYNC_FOLDER_UNUSABLE
    else:
        summary = await yard.sync(delete=True)
        assert (summary.unsure, summary.deleted) == (["disk/b.txt"], 0)
    assert set(await yard.documents()) == {"a.txt", "b.txt"}


async def test_what_is_no_document_is_told_and_not_sent_again(yard):
    yard.put("fine.txt")
    yard.put("nothing.txt", "")
    (yard.folder / "picture.bin").write_bytes(bytes(range(256)) * 20)
    (yard.folder / "loop").symlink_to(".", target_is_directory=True)
    os.mkfifo(yard.folder / "pipe")
    (yard.folder / os.fsdecode(b"odd\xff.txt")).write_text("Odd.")
    yard.put(".xnaiignore", "*.log\n!.kept.txt\n")
    yard.put("noise.log")
    yard.put(".hidden.txt", "Hidden.")
    yard.put(".kept.txt", "Kept.")

    first = await yard.sync()
    second = await yard.sync()

    assert sorted(first.added) == [".kept.txt", "fine.txt"]
    assert {one.path.replace("\ufffd", "?") for one in first.left_out} == {
        "nothing.txt",
        "pipe",
        "odd?.txt",
    }
    assert ([one.path for one in first.refused], first.links) == (["picture.bin"], 1)
    assert [one.path for one in second.refused] == ["picture.bin"]
    assert (second.added, second.changed) == ([], [])


async def test_a_file_that_vanishes_or_becomes_a_link_while_it_is_sent_is_told(yard):
    yard.put("a.txt", "One.")
    yard.put("b.txt", "Two.")
    yard.put("c.txt", "Three.")

    class Meddling(LocalKeeper):
        async def note(self, changes) -> list[bool]:
            known = await super().note(changes)
            (yard.folder / "a.txt").unlink()
            (yard.folder / "b.txt").unlink()
            (yard.folder / "b.txt").symlink_to("/etc/hostname")
            return known

    summary = await yard.sync(keeper=Meddling(yard.synced, ANN, yard.source))
    assert {one.path for one in summary.left_out} == {"a.txt", "b.txt"}
    assert (summary.added, set(await yard.documents())) == (["c.txt"], {"c.txt"})


async def test_what_was_cut_off_in_the_middle_goes_on_where_it_was(yard):
    for number in range(8):
        yard.put(f"{number}.txt", f"Text number {number}.")

    class Failing(LocalKeeper):
        left = 3

        async def send(self, file, content) -> SyncedFile:
            if not self.left:
                raise XnaiError(DISK_FULL, folder="x", free="0 MB")
            self.left -= 1
            return await super().send(file, content)

    with pytest.raises(XnaiError):
        await yard.sync(keeper=Failing(yard.synced, ANN, yard.source))
    taken = len(await yard.documents())
    summary = await yard.sync()
    assert 0 < taken <= 3
    assert (len(summary.added), summary.unchanged) == (8 - taken, taken)
    assert len(await yard.documents()) == 8


async def test_a_dry_run_does_nothing(yard):
    yard.put("a.txt")
    summary = await yard.sync(only_look=True, delete=True)
    assert (summary.added, await yard.documents()) == (["a.txt"], {})


async def test_a_file_that_was_written_a_moment_ago_is_read_again(yard):
    (yard.folder / "a.txt").write_text("One.")
    await yard.sync()
    [known] = await yard.synced.files(ANN, yard.source)
    assert known.mtime_ns == 0
    assert (await yard.sync()).unchanged == 1


async def test_a_document_that_is_read_keeps_the_name_it_was_given_meanwhile(yard):
    yard.put("a.txt")
    await yard.sync()
    [document] = (await yard.documents()).values()
    (yard.folder / "a.txt").rename(yard.folder / "b.txt")
    await yard.sync()
    await followed(yard.library, document.id)
    assert set(await yard.documents()) == {"b.txt"}


async def test_what_is_somebody_elses_is_not_there(yard):
    yard.put("a.txt")
    await yard.sync()
    [document] = (await yard.documents()).values()
    [file] = await yard.synced.files(ANN, yard.source)
    listing = yard.index.listing
    many = Shelving(listing, yard.libraries, yard.library)
    theirs = await yard.libraries.create(BOB, "Bob's")
    library_id = yard.source.library_id
    for refused in (
        yard.synced.files(BOB, yard.source),
        yard.synced.note(BOB, yard.source, [Change(file)]),
        yard.synced.send(BOB, yard.source, file, yard.folder / "a.txt"),
        yard.synced.forget(BOB, yard.source, ["a.txt"]),
        many.page(BOB, DocumentQuery(BOB.person_id, library_id), 0, 9),
        many.shelves(BOB, library_id),
        many.put_into_folder(BOB, library_id, [document.id], "x"),
        many.tag(BOB, library_id, [document.id], ["x"], []),
        many.move(BOB, [document.id], theirs.id, library_id),
        many.move(BOB, [document.id], theirs.id, ""),
        many.delete(BOB, [document.id]),
        many.move(ANN, [document.id], theirs.id, library_id),
    ):
        with pytest.raises(XnaiError) as caught:
            await refused
        assert caught.value.kind is NOT_FOUND
    assert [one.id for one in (await yard.documents()).values()] == [document.id]


async def test_many_are_put_into_folders_tagged_and_moved_at_once(yard):
    for name in ("a.txt", "sub/b.txt", "ÄPFEL.txt"):
        yard.put(name, f"This is {name}.")
    await yard.sync()
    many = Shelving(yard.index.listing, yard.libraries, yard.library)
    here, ids = yard.source.library_id, [one.id for one in (await yard.documents()).values()]
    assert await many.put_into_folder(ANN, here, ids[:2], " /tower//papers/ ") == 2
    assert await many.tag(ANN, here, ids, ["urgent"], []) == 3
    assert await many.tag(ANN, here, ids[:1], ["old"], ["urgent"]) == 1

    async def named(**more: str) -> list[str]:
        found = await many.page(ANN, DocumentQuery(ANN.person_id, here, **more), 0, 9)
        return sorted(one.id for one in found.documents)

    folders, tags = await many.shelves(ANN, here)
    assert folders["tower/papers"] == 2
    assert tags == {"old": 1, "urgent": 2}
    assert await named(folder="tower") == sorted(ids[:2])  # those below it too
    assert await named(tag="urgent") == sorted(ids[1:])
    assert len(await named(words="äpfel")) == 1
    assert len(await named(words="%")) == 0

    other = await yard.libraries.create(ANN, "Other")
    assert await many.move(ANN, ids[:2], other.id, here) == 2
    moved = await yard.libraries.standing(ANN, other.id)
    assert {one.id for one, _ in moved} == set(ids[:2])
    assert {one.collection for one, _ in moved} == {f"library:{other.id}"}
    assert (await many.shelved(ANN, other.id, ids))[ids[0]].tags == ("old",)
    gone = await yard.libraries.create(ANN, "Gone")
    await yard.libraries.delete(ANN, gone.id, keeps_all=True)
    with pytest.raises(XnaiError):
        await many.move(ANN, ids[2:], gone.id, here)
    assert await yard.index.listing.transfer(here, gone.id, ids[2:]) == []
    assert [one.id for one in (await yard.documents()).values()] == ids[2:]  # not lost between


async def test_what_comes_while_its_library_is_deleted_does_not_stay(yard):
    async def content() -> AsyncIterator[bytes]:
        yield b"A letter."
        await yard.libraries.delete(ANN, yard.source.library_id, keeps_all=False)

    file = SyncedFile("a.txt", "0" * 64, 9, 1, 1)
    with pytest.raises(XnaiError) as refused:
        await yard.synced.send(ANN, yard.source, file, content())
    assert refused.value.kind is NOT_FOUND
    assert await yard.library.all_documents("ann") == []
    await yard.libraries.start()  # as at the next start, which makes libraries of documents anew
    assert [one.is_own for one in await yard.libraries.all(ANN)] == [True]


async def test_what_became_of_a_document_is_known(yard):
    yard.put("a.txt", "One.")
    await yard.sync()
    [first] = (await yard.documents()).values()
    ids = [first.id]
    for text in ("Two.", "Three."):
        yard.put("a.txt", text)
        await yard.sync()
        latest = (await yard.synced.files(ANN, yard.source))[0].document_id
        await followed(yard.library, latest)
        ids.append(latest)
    former = await yard.index.listing.former(ids[0])
    assert (former.owner, former.successor) == ("ann", ids[2])
    await yard.library.delete(ids[2])
    assert (await yard.index.listing.former(ids[0])).successor == ""
    assert await yard.index.listing.former("0" * 32) is None


async def test_a_version_that_cannot_be_read_leaves_the_former_until_one_can(yard):
    yard.put("a.txt", "One.")
    await yard.sync()
    [first] = (await yard.documents()).values()
    await followed(yard.library, first.id)
    yard.put("a.txt", "%PDF-1.4 and nothing more")
    await yard.sync()
    broken = (await yard.synced.files(ANN, yard.source))[0].document_id
    with pytest.raises(XnaiError):
        await followed(yard.library, broken)
    standing = await yard.libraries.standing(ANN, yard.source.library_id)
    assert {one.id for one, _ in standing} == {first.id, broken}
    yard.put("a.txt", "Three.")
    await yard.sync()
    latest = (await yard.synced.files(ANN, yard.source))[0].document_id
    await followed(yard.library, latest)
    standing = await yard.libraries.standing(ANN, yard.source.library_id)
    assert [one.id for one, _ in standing] == [latest]
