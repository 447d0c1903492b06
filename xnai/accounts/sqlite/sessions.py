"""Sessions of people signed in to the page: a token counts only while its session is open here.

``sessions.sqlite3`` outlives a restart and may be deleted: everybody signs in again then.
"""

import hashlib
import secrets
import threading
import time
from pathlib import Path

import apsw
import structlog

from xnai.sqlite import own_file
from xnai.sqlite.errors import reason_of
from xnai.sqlite.migrations import NewerVersionError, migrate, read_migrations

log = structlog.get_logger(__name__)

FILE = "sessions.sqlite3"
MOST = 500  # of one person; the oldest ends when there are more
_BUSY_MS = 500
MIGRATIONS = read_migrations(Path(__file__).with_name("migrations"))
_OVER = (
    "DELETE FROM sessions WHERE until < :now OR id IN (SELECT id FROM sessions "
    "WHERE person_id = :person ORDER BY until DESC LIMIT -1 OFFSET :most)"
)


class SqliteSessions:
    """Implements ``SessionStore``; of an id only its hash is kept.

    ``create`` and ``revoke`` write, so call them in a thread; ``is_open`` mostly reads memory. If
    the disk is full, a session lasts as long as the process.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE
        self._writing = threading.Lock()
        self._unsaved: dict[str, float] = {}
        self._ended: set[str] = set()  # revoked, though the disk was full
        try:
            self._writer, self._reader = _open(self._path), _open(self._path)
        except (apsw.NotADBError, apsw.CorruptError, NewerVersionError) as exc:
            reason = str(exc) if isinstance(exc, NewerVersionError) else reason_of(exc)
            own_file.set_aside(self._path, reason)
            log.warning("everybody signs in again: a new file of sessions was begun")
            self._writer, self._reader = _open(self._path), _open(self._path)

    def create(self, person_id: str, seconds: float) -> str:
        """Open a session for that many seconds and return its id."""
        session_id, now = secrets.token_urlsafe(24), time.time()
        row = (_hash(session_id), person_id, now + seconds)
        with self._writing:
            try:
                self._writer.execute("INSERT INTO sessions VALUES (?, ?, ?)", row)
                over = {"now": now, "person": person_id, "most": MOST}
                self._writer.execute(_OVER, over)
            except apsw.Error as exc:
                log.warning("a session is not kept", reason=type(exc).__name__)
                self._unsaved[row[0]] = row[2]
                while len(self._unsaved) > MOST:
                    del self._unsaved[next(iter(self._unsaved))]
        return session_id

    def is_open(self, session_id: str, person_id: str) -> bool:
        """Return whether a session of a person is open."""
        name, now = _hash(session_id), time.time()
        if name in self._ended:
            return False
        if self._unsaved.get(name, 0.0) > now:
            return True
        query = "SELECT until FROM sessions WHERE id = ? AND person_id = ?"
        try:
            until: float | None = self._reader.execute(query, (name, person_id)).get
        except apsw.Error as exc:
            log.warning("who is signed in cannot be read", reason=type(exc).__name__)
            return False
        return until is not None and until > now

    def revoke(self, session_id: str) -> None:
        """Close a session, so that its token is worthless."""
        name = _hash(session_id)
        with self._writing:
            self._unsaved.pop(name, None)
            try:
                self._writer.execute("DELETE FROM sessions WHERE id = ?", (name,))
            except apsw.Error as exc:
                log.error("the end of a session is not kept", reason=type(exc).__name__)
                self._ended.add(name)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._writer.close()


def _hash(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()


def _open(path: Path) -> apsw.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)  # SQLite gives its journals the rights of the file itself
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(_BUSY_MS)
    try:
        connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
        migrate(connection, MIGRATIONS)
    except BaseException:
        connection.close()
        raise
    return connection
