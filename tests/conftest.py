"""What several groups of tests need: one running server."""

from collections.abc import Iterator

import pytest
from whole_server import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One running server with the bundled model, shared by the tests of a run."""
    running = Server(tmp_path_factory.mktemp("server"))
    running.start()
    running.wait(model="ready")
    yield running
    running.stop()
