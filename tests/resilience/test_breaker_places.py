"""The places where Redis can be: Sentinel, Cluster, TLS, users with few rights."""

import asyncio
import socket
import subprocess

import pytest

from rig.dependency import Dependency, Ear, due, outcome, until
from rig.processes import free_port
from rig.redis_server import RedisServer, binaries
from xnai.resilience.config import Config
from xnai.resilience.registry import Breakers
from xnai.resilience.states import State

RIGHTS = (
    "~cb:* &cb:* -@all +evalsha +eval +time +hgetall +hset +hdel +hget +zremrangebyscore +zcard "
    "+zrange +zadd +zrem +zscore +del +pexpire +publish +subscribe +ping"
)


@pytest.fixture
def start(tmp_path):
    """Starts servers in folders of their own and stops them all."""
    started = []

    def start(kind="valkey", **arguments):
        folder = tmp_path / f"server{len(started)}"
        server = RedisServer(binaries()[kind], folder, **arguments)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()


async def two_replicas_agree(url):
    """The whole round, through this address: open, learn of it, probe, close."""
    ears = [Ear(), Ear()]
    registries = [Breakers(url, [ear]) for ear in ears]
    config = Config(open_time=0.3, open_jitter=0.0)
    first, second = [registry.make("dep", config) for registry in registries]
    try:
        for registry in registries:
            await registry.start()
        for one in (first, second):
            await one.ready()
        await until(lambda: not any(registry.link.away for registry in registries))
        assert [[], []] == [ear.reasons("redis") for ear in ears]
        dependency = Dependency()
        dependency.sick = True
        for _ in range(5):
            await outcome(first, dependency)
        await until(lambda: second.state is State.OPEN)
        dependency.sick = False
        await due(second)
        assert await outcome(second, dependency) == "well"
        await until(lambda: first.state is State.CLOSED)
        assert {2 + 1} == {one.machine.fleet.epoch for one in (first, second)}
    finally:
        for registry in registries:
            await registry.close()


@pytest.mark.parametrize("kind", sorted(binaries()))
async def test_a_cluster(start, kind):
    # By default the bus has the port 10,000 above, which there need not be.
    options = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
    node = start(kind, port=(port := free_port()), options=options)
    node.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    await until(lambda: b"cluster_state:ok" in node.command("CLUSTER", "INFO"))

    await two_replicas_agree(f"redis+cluster://127.0.0.1:{port}")


async def test_a_master_behind_a_sentinel_and_its_failover(start, tmp_path):
    first, second, watch = free_port(), free_port(), free_port()
    master = start(port=first)
    replica = start(port=second, options=["--replicaof", "127.0.0.1", str(first)])
    settings = tmp_path / "sentinel.conf"
    settings.write_text(f"sentinel monitor main 127.0.0.1 {first} 1\n")
    start(port=watch, mode=[str(settings), "--sentinel"])
    await until(lambda: b"slave0" in master.command("INFO", "replication"))
    url = f"redis+sentinel://127.0.0.1:{watch}/main"

    await two_replicas_agree(url)

    ear = Ear()
    registry = Breakers(url, [ear])
    breaker = registry.make("dep", Config(resync=0.3))
    await registry.start()
    try:
        await breaker.set_state(State.FORCED_OPEN, "maintenance")
        replica.command("REPLICAOF", "NO", "ONE")
        master.kill()
        await until(lambda: registry.link.state is State.OPEN)
        settings_now = ("SENTINEL", "REMOVE", "main"), (
            "SENTINEL", "MONITOR", "main", "127.0.0.1", str(second), "1",
        )  # fmt: skip
        with socket.socket() as plug:
            plug.connect(("127.0.0.1", watch))
            for words in settings_now:
                plug.sendall((" ".join(words) + "\r\n").encode())
                plug.recv(1000)
        await until(lambda: registry.link.state is State.CLOSED)
        kept = replica.command("HGET", "cb:{dep}", "state")
    finally:
        await registry.close()
    assert b"forced_open" in kept
    assert breaker.state is State.FORCED_OPEN


@pytest.mark.needs("redis_with_tls")  # the Valkey of the package has no TLS
async def test_tls_with_a_certificate_of_our_own(start, tmp_path):
    make = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2"
    more = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(  # noqa: ASYNC221 - nothing else runs yet
        [*make.split(), *more], cwd=tmp_path, check=True, capture_output=True
    )
    port, cert = free_port(), tmp_path / "cert.pem"
    start(
        "redis",
        options=[
            *("--tls-port", str(port), "--tls-cert-file", str(cert)),
            *("--tls-key-file", str(tmp_path / "key.pem"), "--tls-auth-clients", "no"),
        ],
    )

    await two_replicas_agree(f"rediss://localhost:{port}?ssl_ca_certs={cert}")

    ear = Ear()
    registry = Breakers(f"rediss://localhost:{port}", [ear])  # that no authority vouches for
    registry.make("dep")
    await registry.start()
    await until(lambda: ear.reasons("redis"))
    await registry.close()
    assert ["its certificate is not trusted by this machine"] == ear.reasons("redis")


@pytest.mark.parametrize("kind", sorted(binaries()))
async def test_a_user_who_may_do_no_more_than_breakers_need(start, kind):
    server = start(kind)
    server.command("ACL", "SETUSER", "xnai", "on", ">p@ss", *RIGHTS.split())
    server.command("ACL", "SETUSER", "default", "off")

    await two_replicas_agree(f"{server.url}?username=xnai&password=p%40ss")


async def test_a_user_who_may_do_less_is_told_once_and_calls_go_on(start):
    server = start()
    server.command("ACL", "SETUSER", "xnai", "on", ">p", "~other:*", "&*", "+@all")
    ear = Ear()
    registry = Breakers(f"{server.url}?username=xnai&password=p", [ear])
    breaker = registry.make("dep")
    await registry.start()
    ends = set()
    for _ in range(30):
        ends.add(await outcome(breaker, Dependency()))
        await asyncio.sleep(0.02)
    await registry.close()

    assert {"well"} == ends
    assert ["the user may not do what breakers need"] == ear.reasons("redis")
