import asyncio
import errno
import hashlib
import uuid
from collections.abc import AsyncIterator

import pytest

from rig.waiting import eventually
from xnai.documents import cards
from xnai.documents.folder_lock import FolderClaim
from xnai.documents.storage import OriginalFiles, disk_errors
from xnai.errors import DISK_FULL, FILE_EMPTY, FILE_TOO_LARGE, NOT_FOUND, XnaiError
from xnai.types import Document

LIMIT = 3_000_000


@pytest.fixture
def files(tmp_path):
    return OriginalFiles(tmp_path / "documents", LIMIT)


async def stream(*blocks: bytes):
    for block in blocks:
        yield block


def leftovers(files):
    return [path for path in files.folder.rglob("*") if path.is_file()]


def keep(files, received) -> str:
    """Keep a received file and return the id of its document."""
    document = Document(
        uuid.uuid4().hex, "o", received.name, "text/plain", received.size, received.sha256, 1.5
    )
    files.keep(received, document)
    return document.id


async def test_a_stream_is_kept_whole_with_size_and_hash(files):
    async with files.receive("a", stream(b"one", b"", b"two" * 500_000)) as received:
        document_id = keep(files, received)
    content = b"one" + b"two" * 500_000
    assert content == files.path(document_id).read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (received.size, received.sha256)


async def test_a_file_is_copied_not_moved(files, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"x" * 2_500_000)
    async with files.receive("a", source) as received:
        document_id = keep(files, received)
    assert source.read_bytes() == files.path(document_id).read_bytes()


async def test_what_is_not_kept_is_gone(files):
    async with files.receive("a", stream(b"x")):
        pass
    assert [] == leftovers(files)


@pytest.mark.parametrize(
    ("blocks", "kind"), [([], FILE_EMPTY), ([b"x" * 1_600_000] * 2, FILE_TOO_LARGE)]
)
async def test_a_refused_stream_leaves_nothing(files, blocks, kind):
    with pytest.raises(XnaiError) as caught:
        async with files.receive("a", stream(*blocks)):
            pass
    assert (kind, []) == (caught.value.kind, leftovers(files))


async def test_a_stream_past_the_limit_is_not_read_to_its_end(files):
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"x" * 1_000_000

    with pytest.raises(XnaiError):
        async with files.receive("a", endless()):
            pass
    assert read <= 6


async def test_a_stream_that_breaks_leaves_nothing(files):
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        async with files.receive("a", broken()):
            pass
    assert [] == leftovers(files)


async def test_a_cancelled_upload_leaves_nothing(files):
    async def hanging() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        await asyncio.Event().wait()

    async def upload() -> None:
        async with files.receive("a", hanging()):
            pass

    task = asyncio.create_task(upload())
    await eventually(lambda: leftovers(files))
    task.cancel()
    await asyncio.wait([task])
    assert [] == leftovers(files)


async def test_a_source_that_is_no_file_is_refused(files, tmp_path):
    with pytest.raises(XnaiError) as caught:
        async with files.receive("a", tmp_path):
            pass
    assert NOT_FOUND == caught.value.kind


@pytest.mark.parametrize("document_id", ["../../etc/passwd", "", "A" * 32, "0" * 31 + "/"])
def test_only_ids_become_paths(files, document_id):
    with pytest.raises(XnaiError) as caught:
        files.path(document_id)
    assert NOT_FOUND == caught.value.kind


def test_a_full_disk_has_its_own_error(tmp_path):
    with pytest.raises(XnaiError) as caught, disk_errors(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert DISK_FULL == caught.value.kind


async def test_cleaning_removes_uploads_that_were_cut_off_and_nothing_else(files):
    async with files.receive("a", stream(b"x")) as received:
        one = keep(files, received)
    async with files.receive("b", stream(b"y")) as received:
        other = keep(files, received)
    (files.folder / ".incoming" / "cut-off").write_bytes(b"z")
    assert 1 == files.clean()
    assert files.path(one).exists()
    assert files.path(other).exists()


async def test_a_file_is_kept_with_a_card_that_says_what_it_is_and_goes_with_it(files):
    async with files.receive("tea.txt", stream(b"x")) as received:
        kept = keep(files, received)
    card = cards.read(files.path(kept))
    assert (card.owner, card.file_name, card.sha256) == ("o", "tea.txt", received.sha256)
    files.remove(kept)
    assert [] == leftovers(files)


async def test_a_card_of_another_file_and_one_that_is_none_say_nothing(files):
    async with files.receive("tea.txt", stream(b"x")) as received:
        one = keep(files, received)
    async with files.receive("tea.txt", stream(b"x")) as received:
        other = keep(files, received)
    cards.beside(files.path(other)).replace(cards.beside(files.path(one)))
    assert cards.read(files.path(one)) is None
    cards.beside(files.path(one)).write_bytes(b"[]")
    assert cards.read(files.path(one)) is None


async def test_everything_kept_is_readable_by_its_owner_alone(files):
    async with files.receive("tea.txt", stream(b"x")) as received:
        keep(files, received)
    assert {0} == {path.stat().st_mode & 0o077 for path in files.folder.rglob("*")}


def test_only_the_first_of_two_holders_is_alone(tmp_path):
    first = FolderClaim(tmp_path)
    first.share()
    second = FolderClaim(tmp_path)
    first.release()
    second.release()
    third = FolderClaim(tmp_path)
    third.release()
    assert (True, False, True) == (first.alone, second.alone, third.alone)
