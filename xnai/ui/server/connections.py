"""The open connections, from their acceptance on, and which of them have to go.

A connection is *waiting* until a whole request has arrived, and again after each response. The
number of connections is limited, and nobody has more of them than are still free
(``resilience.shares``). When there is no room, the oldest waiting connection is closed, so half-
open connections, however many, keep nobody out. Loopback and the trusted proxies have no share,
since many people stand behind one of these addresses, or the only one.

    accepted ──► waiting ──[a whole request arrived]──► busy
                  │   ▲                                   │
                  │   └──────────[response sent]──────────┘
                  └──[no request in time, or room is needed]──► closed
"""

import errno
import socket
import sys
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import structlog

from xnai.net import Network, is_loopback, is_trusted, share_key
from xnai.observability.throttled_log import SparingLog
from xnai.resilience.shares import Shares

log = structlog.get_logger(__name__)
_warn = SparingLog(log.warning)

MOST = 2048
FILES_WANTED = 8192  # descriptors; what starts with more is left with that
FILES_KEPT = 256  # for everything else: databases, uploads, pipes
LEAST = 64
HEADER_SECONDS = 15.0  # for a request's header to arrive whole
_ENDING = 64  # evicted connections that the loop has not closed yet
_TRIES = 16
_AT_ONCE = 32  # connections that are accepted before anything else is done
_PAUSE_SECONDS = 1.0
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def raise_file_limit() -> int:
    """Raise the soft limit of open files, and return how many connections it leaves room for."""
    if sys.platform == "win32":
        return MOST
    import resource  # noqa: PLC0415 - not there on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (OSError, ValueError) as exc:
            log.warning("the limit of open files stays", limit=soft, reason=str(exc))
    room = MOST if soft == resource.RLIM_INFINITY else min(MOST, soft - FILES_KEPT)
    if room < MOST:
        log.warning("few files may be open, so few connections are taken", connections=room)
    return max(LEAST, room)


class Connection(socket.socket):
    """An accepted connection; the ledger knows it until it is closed, by whomever."""

    ledger: "Ledger | None" = None
    share: str = ""  # empty: has none
    since: float = 0.0  # waiting for a request since
    waiting: bool = True
    transport: Any = None  # once a protocol has it

    def close(self) -> None:
        """Close it, and make room."""
        if self.ledger is not None:
            self.ledger.forget(self)
            self.ledger = None
        super().close()

    def abort(self) -> None:
        """Make the loop close it, in whatever state it is."""
        if self.transport is not None:
            self.transport.abort()
            return
        try:
            self.shutdown(socket.SHUT_RDWR)  # a TLS handshake is under way
        except OSError:
            return


class Ledger:
    """The open connections.

    Args:
        most: how many there may be.
        trusted: the proxies.

    """

    def __init__(self, most: int, trusted: tuple[Network, ...] = ()) -> None:
        self._shares = Shares(most)
        self._trusted = trusted
        self._all: OrderedDict[Connection, None] = OrderedDict()  # the waiting ones, oldest first
        self._by_share: dict[str, OrderedDict[Connection, None]] = {}

    @property
    def total(self) -> int:
        """The number of open connections."""
        return self._shares.total

    @property
    def is_ending(self) -> bool:
        """Whether so many connections are being closed that the next must wait for that."""
        return self._shares.total >= self._shares.capacity + _ENDING

    def admit(self, connection: Connection, address: str) -> bool:
        """Admit a connection if there is room, or if another one can make room."""
        connection.share = self._share_of(address)
        holders = (connection.share,) if connection.share else ()
        if not self._shares.admits(*holders) and not self._make_room(connection.share):
            return False
        connection.ledger = self
        self._shares.take(*holders)
        self._enqueue(connection)
        return True

    def forget(self, connection: Connection) -> None:
        """Remove a connection that is closed."""
        self._dequeue(connection)
        self._shares.give_back(*((connection.share,) if connection.share else ()))

    def set_waiting(self, connection: Connection, *, waiting: bool) -> None:
        """Record that a request has arrived, or that it was answered."""
        if connection.ledger is None or connection.waiting == waiting:
            return
        if waiting:
            self._enqueue(connection)
        else:
            self._dequeue(connection)

    def close_overdue(self) -> int:
        """Close connections whose request does not come; returns how many."""
        before, ended = time.monotonic() - HEADER_SECONDS, 0
        for connection in list(self._all):
            if connection.since > before:
                break
            if not _is_sending(
                connection
            ):  # still sending; cut off elsewhere if its reader reads nothing
                connection.abort()
                ended += 1
        return ended

    def close_oldest(self) -> None:
        """Close a few of the waiting connections."""
        for _ in range(_TRIES):
            self._close_oldest_of(self._all)

    def _share_of(self, address: str) -> str:
        exempt = is_loopback(address) or is_trusted(address, self._trusted)
        return "" if exempt else share_key(address)

    def _make_room(self, share: str) -> bool:
        if self._shares.total < self._shares.capacity:  # the share is used up
            return self._close_oldest_of(self._by_share.get(share, OrderedDict()))
        return self._close_oldest_of(self._all)

    def _close_oldest_of(self, waiting: OrderedDict[Connection, None]) -> bool:
        for connection in _first(waiting, _TRIES):
            if _is_sending(connection):
                continue
            self._dequeue(connection)
            connection.abort()
            _warn("a connection that waited made room for another", open=self.total)
            return True
        return False

    def _enqueue(self, connection: Connection) -> None:
        connection.waiting, connection.since = True, time.monotonic()
        self._all[connection] = None
        if connection.share:
            self._by_share.setdefault(connection.share, OrderedDict())[connection] = None

    def _dequeue(self, connection: Connection) -> None:
        connection.waiting = False
        self._all.pop(connection, None)
        of_share = self._by_share.get(connection.share)
        if of_share is not None:
            of_share.pop(connection, None)
            if not of_share:
                del self._by_share[connection.share]


class AdmittingSocket(socket.socket):
    """A listening socket whose connections the ledger has admitted."""

    ledger: Ledger
    _paused_until = 0.0
    _accepted = 0  # without a pause

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept the next connection that there is room for.

        Raises:
            BlockingIOError: there is none, or it has to wait.
            OSError: the system has no more descriptors or memory; the loop tries again later.

        """
        now = time.monotonic()
        if now < self._paused_until:  # the loop calls again in spite of the error
            raise BlockingIOError
        self._accepted += 1
        if self._accepted > _AT_ONCE:  # the loop serves others in between
            self._accepted = 0
            raise BlockingIOError
        for _ in range(_TRIES):
            if self.ledger.is_ending:
                raise BlockingIOError
            connection, address = self._accept_socket(now)
            if self.ledger.admit(connection, str(address[0])):
                return connection, address
            _warn("a connection was refused, as all there is room for work", open=self.ledger.total)
            connection.close()
        raise BlockingIOError

    def _accept_socket(self, now: float) -> tuple[Connection, Any]:
        try:
            descriptor, address = self._accept()  # type: ignore[attr-defined]
        except OSError as exc:
            if exc.errno in _EXHAUSTED:
                _warn("no connection can be accepted", reason=exc.strerror, open=self.ledger.total)
                self._paused_until = now + _PAUSE_SECONDS
                self.ledger.close_oldest()
            raise
        return Connection(self.family, self.type, self.proto, fileno=descriptor), address


def listen(host: str, port: int, ledger: Ledger) -> list[AdmittingSocket]:
    """Bind to every address of a host.

    Raises:
        OSError: an address is taken, or is none of this machine.

    """
    found = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
    )
    listeners: list[AdmittingSocket] = []
    try:
        for family, kind, proto, _, address in dict.fromkeys(found):
            listener = AdmittingSocket(family, kind, proto)
            listeners.append(listener)
            listener.ledger = ledger
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(address)
            listener.settimeout(0)
    except OSError:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def connection_of(transport: Any) -> Connection | None:
    """Return the connection behind a transport, if a ledger knows it."""
    inner = getattr(transport.get_extra_info("socket"), "_sock", None)
    return inner if isinstance(inner, Connection) else None


def _is_sending(connection: Connection) -> bool:
    transport = connection.transport
    return transport is not None and transport.get_write_buffer_size() > 0


def _first(waiting: OrderedDict[Connection, None], most: int) -> Iterator[Connection]:
    """Yield the oldest connections from a copy, since ending one changes what is waiting."""
    yield from [connection for connection, _ in zip(waiting, range(most), strict=False)]
