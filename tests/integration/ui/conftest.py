"""Servers that the tests of a module share: one without keys, one with."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from ui_client import KEYS, Server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chat(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with Server(tmp_path_factory.mktemp("chat")) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keyed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with Server(tmp_path_factory.mktemp("keyed"), XNAI_API_KEYS=",".join(KEYS)) as server:
        yield server
