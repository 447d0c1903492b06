"""An index with bytes that somebody has flipped: what can be read is found, the rest is told."""

import apsw
import pytest
from documents_library import GatedEmbedder, followed, opened

from xnai.errors import XnaiError
from xnai.retrieval.index.sqlite.checking import scrub
from xnai.retrieval.index.sqlite.index import SqliteIndex
from xnai.types import Scope

DAMAGES = {
    "another text": "UPDATE chunks SET text = 'Rice is grown here.' WHERE id = 1",
    "no text": "UPDATE chunks SET text = CAST(x'fffefd' AS TEXT) WHERE id = 1",
    "no vector": "UPDATE vectors SET vector = x'00ff' WHERE chunk_id = 1",
    "another vector": "UPDATE vectors SET vector = zeroblob(length(vector)) WHERE chunk_id = 1",
    "no signatures": "UPDATE signatures SET bits = x'00ff01'",
    "no codes": "UPDATE token_codes SET codes = x'00ff01'",
    "no words": "UPDATE chunks_fts_data SET block = x'ffff'",
    "no record": "UPDATE documents SET notes = 'no list'",
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_what_is_damaged_is_left_out_and_told_and_the_rest_is_found(tmp_path, damage):
    folder = tmp_path / "data"
    embedder = GatedEmbedder(tmp_path)
    source = tmp_path / "tea.txt"
    source.write_text("\n\n".join(f"Tea {n} is grown. " + "It is tea. " * 90 for n in range(9)))
    async with opened(folder, embedder) as (library, _):
        document = await library.add("o", "tea.txt", source)
        await followed(library, document.id)
    raw = apsw.Connection(str(folder / "index.sqlite3"))
    raw.execute("PRAGMA writable_schema = ON")
    raw.execute(DAMAGES[damage])
    raw.close()

    async with opened(folder, embedder) as (library, index):
        found = await library.find("Where is tea grown?", Scope("o"), 5)
        everything = await library.everything(Scope("o"))
        scrub(folder / "index.sqlite3", index.damage, lambda: False)
        told = index.damage.words()
    assert found.passages
    assert all("Tea" in passage.text for passage in found.passages)
    assert len(everything) >= 2
    assert told
    assert library.original(document).read_text() == source.read_text()


async def test_checksums_are_added_to_what_an_earlier_version_has_stored(tmp_path):
    embedder = GatedEmbedder(tmp_path)
    source = tmp_path / "tea.txt"
    source.write_text("Tea is grown in Assam.")
    async with opened(tmp_path / "data", embedder) as (library, index):
        document = await library.add("o", "tea.txt", source)
        await followed(library, document.id)
        await index._connections.write(lambda c: c.execute("UPDATE chunks SET checksum = NULL"))
        await index.add_checksums()
        without = "SELECT count(*) FROM chunks WHERE checksum IS NULL"
        assert await index._connections.read(lambda c: c.execute(without).get) == 0
        assert await library.find("Where is tea grown?", Scope("o"), 5)
        assert index.damage.words() == ""


async def test_another_programs_database_is_set_aside_and_nothing_of_it_is_changed(tmp_path):
    path = tmp_path / "index.sqlite3"
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE songs (name TEXT)")
    other.close()
    before = path.read_bytes()
    index = SqliteIndex(path, 8)
    await index.start()
    await index.close()
    (aside,) = tmp_path.glob("index.sqlite3.aside-*")
    assert aside.read_bytes() == before


async def test_a_file_that_is_exchanged_while_it_is_in_use_is_noticed(tmp_path):
    path = tmp_path / "index.sqlite3"
    index = SqliteIndex(path, 8)
    await index.start()
    await index.check()
    path.rename(tmp_path / "moved")
    with pytest.raises(XnaiError) as caught:
        await index.check()
    await index.close()
    assert caught.value.code == "index_damaged"
