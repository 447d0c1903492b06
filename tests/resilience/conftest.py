"""Real servers, and replicas that share them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from rig.dependency import QUICK, Ear
from rig.redis_server import RedisServer, binaries
from xnai.resilience.breaker import Breaker
from xnai.resilience.config import Config
from xnai.resilience.registry import Breakers


@pytest.fixture(params=sorted(binaries()))
def redis(request, tmp_path: Path) -> Iterator[RedisServer]:
    """An empty server of its own for each test, once of each kind."""
    server = RedisServer(binaries()[request.param], tmp_path / "redis").start()
    yield server
    server.stop()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[RedisServer]:
    """A Valkey alone, for what takes long and depends on the processes, not on the server."""
    server = RedisServer(binaries()["valkey"], tmp_path / "valkey").start()
    yield server
    server.stop()


class Replicas:
    """Breakers of one name in several registries, each as a process would have it."""

    def __init__(self) -> None:
        self.registries: list[Breakers] = []

    async def add(self, url: str, **config) -> Breaker:
        registry = Breakers(url, [ear := Ear()])
        self.registries.append(registry)
        breaker = registry.make("dep", Config(**{**QUICK, **config}))
        breaker.ear, breaker.link = ear, registry.link
        breaker.registry = registry
        await registry.start()
        await breaker.ready()
        await asyncio.sleep(0)
        return breaker


@pytest.fixture
async def replicas() -> AsyncIterator[Replicas]:
    made = Replicas()
    yield made
    for registry in made.registries:
        await registry.close()
