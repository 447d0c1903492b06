"""A library in step with a folder: what is taken, what follows a move, and what never goes."""

import os

import pytest
from documents_library import GatedEmbedder, followed, opened

from xnai.accounts import Principal
from xnai.documents.folders.in_step import bring_in_step
from xnai.documents.folders.keeping import SyncedLibraries
from xnai.documents.folders.mirror import LocalKeeper
from xnai.documents.libraries import Libraries
from xnai.errors import DISK_FULL, SYNC_FOLDER_UNUSABLE, XnaiError
from xnai.retrieval.synced import SyncedFile, SyncSource

ANN = Principal("ann", "key")


class Yard:
    """A folder, a library, and what brings the one in step with the other."""

    def __init__(self, folder, library, libraries, synced, source) -> None:
        self.folder, self.library, self.libraries = folder, library, libraries
        self.synced, self.source = synced, source
        self.keeper = LocalKeeper(synced, ANN, source)

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
        yield Yard(folder, library, libraries, synced, SyncSource(made.id, "a folder"))


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
async def test_a_folder_that_cannot_be_seen_is_not_read_as_emptied(yard, how):
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
        if os.geteuid() == 0:
            pytest.skip("everything is open to root")
        (yard.folder / "disk").chmod(0)
    try:
        if how in {"empty", "gone"}:
            with pytest.raises(XnaiError) as caught:
                await yard.sync(delete=True)
            assert caught.value.kind is SYNC_FOLDER_UNUSABLE
        else:
            summary = await yard.sync(delete=True)
            assert (summary.unsure, summary.deleted) == (["disk/b.txt"], 0)
    finally:
        if how == "closed below":
            (yard.folder / "disk").chmod(0o700)
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
