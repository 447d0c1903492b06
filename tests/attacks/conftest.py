"""One prepared data folder for all attacks on data, and a server on a copy of it for each."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from data_server import TEXTS, WITHOUT_MODEL, begin

from rig.whole_server import Server


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a server that has read three documents and was stopped."""
    server = Server(tmp_path_factory.mktemp("prepared"), WITHOUT_MODEL)
    begin(server)
    for name, content in TEXTS.items():
        server.upload(name, content)
    assert server.stop() == 0
    return server.folder / "data"


@pytest.fixture
def kept(prepared: Path, tmp_path: Path) -> Iterator[Server]:
    """A server that is not started, on a copy of that folder."""
    shutil.copytree(prepared, tmp_path / "data", copy_function=shutil.copy2)
    own = Server(tmp_path, WITHOUT_MODEL)
    yield own
    if own.process is not None:
        own.stop()
