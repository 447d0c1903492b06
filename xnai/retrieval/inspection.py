"""A look at a SQLite file that changes nothing and ends in time, for operators."""

import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import apsw

_STEPS = 10_000  # of SQLite's virtual machine between two looks at the clock


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a database file is like.

    ``problem`` is what the quick check found, in SQLite's words; ``complete``: it came to its end
    in the time it had. Sizes are in bytes.
    """

    size: int
    log_size: int
    version: str
    problem: str
    complete: bool


def inspect(path: Path, seconds: float) -> Inspected:
    """Check a file for damage; blocks for so many seconds at most.

    Raises:
        OSError: it cannot be read.

    """
    size, log = path.stat().st_size, Path(f"{path}-wal")
    log_size = log.stat().st_size if log.exists() else 0
    # Without a log nobody has the file open: then it is read as it is, and no log is begun. A
    # server that runs has one, of no length for a moment after a checkpoint.
    how = "mode=ro" if log.exists() else "immutable=1"
    try:
        connection = apsw.Connection(
            f"file:{quote(str(path))}?{how}",
            flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
        )
    except apsw.Error as exc:
        return Inspected(size, log_size, "", str(exc), complete=True)
    deadline = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    connection.set_busy_timeout(1000)
    version = ""
    try:
        version = _version(connection)
        found = str(connection.execute("PRAGMA quick_check(1)").get)
    except apsw.InterruptError:
        return Inspected(size, log_size, version, "", complete=False)
    except apsw.Error as exc:
        return Inspected(size, log_size, version, str(exc), complete=True)
    finally:
        connection.close()
    return Inspected(size, log_size, version, "" if found == "ok" else found, complete=True)


def _version(connection: apsw.Connection) -> str:
    """The last migration, by name where there is a ledger, else by number."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if "migrations" in tables:
        names = [name for (name,) in connection.execute("SELECT name FROM migrations")]
        return max(names, default="")
    return f"version {connection.pragma('user_version')}"
