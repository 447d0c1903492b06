"""Where Redis is: the address in the settings, and the client that it asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.client import PubSub
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

_SCHEMES = "redis, rediss, unix, redis+sentinel, rediss+sentinel, redis+cluster, rediss+cluster"
_TLS = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}
_SENTINEL = {"sentinel_username", "sentinel_password"}
_PORTS = {"sentinel": 26379}
_LARGEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address; ``shown`` has no secrets and is fit for a log.

    ``kind`` is ``single``, ``unix``, ``sentinel`` or ``cluster``; ``options`` are the client's.
    """

    kind: str
    nodes: tuple[tuple[str, int], ...] = ()
    path: str = ""  # of the socket
    service: str = ""  # the master's name at the Sentinels
    options: Mapping[str, Any] = field(default_factory=dict)
    sentinel_options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """Host and port, or the socket."""
        places = ", ".join(f"{host}:{port}" for host, port in self.nodes) or self.path
        return f"{self.service} of {places}" if self.service else places

    def client(self, timeout: float) -> "Redis | RedisCluster":
        """A client without retries of its own; ``timeout`` is that of each read and write."""
        common: dict[str, Any] = {
            "socket_timeout": timeout,
            "socket_connect_timeout": 4 * timeout,
            "protocol": 2,
            "driver_info": None,
        }
        retry = Retry(NoBackoff(), 0)
        if self.kind == "cluster":
            nodes = [ClusterNode(host, port) for host, port in self.nodes]
            return RedisCluster(startup_nodes=nodes, retry=retry, **common, **self.options)
        common["retry"] = retry
        if self.kind == "unix":
            return Redis(unix_socket_path=self.path, **common, **self.options)
        if self.kind == "sentinel":
            sentinel_options = {**common, **self.sentinel_options}
            sentinels = Sentinel(  # type: ignore[no-untyped-call]
                self.nodes, sentinel_kwargs=sentinel_options, **common, **self.options
            )
            client = sentinels.master_for(self.service)
            assert isinstance(client, Redis)
            return client
        host, port = self.nodes[0]
        return Redis(host=host, port=port, **common, **self.options)


def subscriber(client: "Redis | RedisCluster") -> PubSub:
    """A connection for messages; in a cluster every node hears what any of them publishes."""
    if isinstance(client, RedisCluster):
        node = client.get_default_node()
        plain: Any = client.pubsub(node=node)
        assert plain is not None
        return plain  # type: ignore[no-any-return]  # it has the same methods
    return client.pubsub()


def parse_address(url: str) -> Address:
    """Read an address.

    ``redis://[user:password@]host[:port][/db]`` (``rediss`` for TLS), ``unix:///path[?db=0]``,
    ``redis+sentinel://[user:password@]host[:port],…/service[/db]``,
    ``redis+cluster://[user:password@]host[:port],…``. As a query: ``ssl_ca_certs``,
    ``ssl_certfile``, ``ssl_keyfile``, ``sentinel_username``, ``sentinel_password``, ``username``,
    ``password``, ``db``.

    Raises:
        ValueError: it is none of these; the words do not repeat it, since it may hold a password.

    """
    parts = urlsplit(url)
    scheme, _, kind = parts.scheme.partition("+")
    if scheme == "unix" and not kind:
        return _unix(parts.path, dict(parse_qsl(parts.query)), parts.netloc)
    if scheme not in {"redis", "rediss"} or kind not in {"", "sentinel", "cluster"}:
        raise ValueError(f"an address of Redis begins with one of {_SCHEMES}")
    credentials, _, hosts = parts.netloc.rpartition("@")
    nodes = tuple(_node(place, _PORTS.get(kind, 6379)) for place in hosts.split(","))
    if not kind and len(nodes) > 1:
        raise ValueError("several hosts need redis+sentinel:// or redis+cluster://")
    query = dict(parse_qsl(parts.query))
    options = _login(credentials) | _options(query, tls=scheme == "rediss")
    path = [unquote(part) for part in parts.path.split("/") if part]
    service = ""
    if kind == "sentinel":
        if not path:
            raise ValueError("an address of Sentinels ends with the master's name: …/mymaster")
        service = path.pop(0)
    if path and kind != "cluster":
        options["db"] = _number("the database", path[0])
    wanted = {key.removeprefix("sentinel_"): query[key] for key in _SENTINEL & query.keys()}
    if scheme == "rediss":
        wanted |= {key: value for key, value in options.items() if key.startswith("ssl")}
    return Address(kind or "single", nodes, "", service, options, wanted)


def _unix(path: str, query: dict[str, str], netloc: str) -> Address:
    if not path:
        raise ValueError("an address of a socket is like unix:///run/redis/redis.sock")
    login = _login(netloc.rpartition("@")[0])
    return Address("unix", path=unquote(path), options=login | _options(query, tls=False))


def _login(credentials: str) -> dict[str, Any]:
    user, _, password = credentials.partition(":")
    found = {"username": unquote(user), "password": unquote(password)}
    return {key: value for key, value in found.items() if value}


def _options(query: dict[str, str], *, tls: bool) -> dict[str, Any]:
    known = {"username", "password", "db"} | _TLS | _SENTINEL
    if strange := sorted(query.keys() - known):
        raise ValueError(f"{strange[0]!r} is no option of an address of Redis")
    if not tls and (lost := sorted(query.keys() & _TLS)):
        raise ValueError(f"{lost[0]} needs rediss://")
    options: dict[str, Any] = {
        key: value for key, value in query.items() if key not in _SENTINEL and key != "db"
    }
    if "db" in query:
        options["db"] = _number("the database", query["db"])
    if tls:
        options["ssl"] = True
    return options


def _node(place: str, port: int) -> tuple[str, int]:
    host, colon, number = place.rpartition(":")
    if not colon or place.endswith("]"):
        host, number = place, ""
    host = host.removeprefix("[").removesuffix("]")
    if not host:
        raise ValueError("an address of Redis names a host, like redis://127.0.0.1:6379")
    given = _number("the port", number) if number else port
    if given > _LARGEST_PORT:
        raise ValueError("a port is a number up to 65535")
    return host, given


def _number(what: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{what} of an address of Redis is a number")
    return int(text)
