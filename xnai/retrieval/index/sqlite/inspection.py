"""A look at a SQLite file that changes nothing and ends in time, for operators."""

from dataclasses import dataclass
from pathlib import Path

import apsw

from xnai.aio import Deadline
from xnai.retrieval.index.damage import Damage
from xnai.retrieval.index.sqlite.checking import read_rows
from xnai.retrieval.index.sqlite.schema import TABLES
from xnai.sqlite import own_file
from xnai.sqlite.transactions import reading

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


def inspect(path: Path, seconds: float, *, is_index: bool = False) -> Inspected:
    """Check a file for damage, of an index every text too; blocks for so many seconds at most.

    Raises:
        OSError: it cannot be read.

    """
    size, log = path.stat().st_size, Path(f"{path}-wal")
    log_size = log.stat().st_size if log.exists() else 0
    deadline = Deadline.after(seconds)
    version = ""
    try:
        with reading(path) as connection:
            connection.set_progress_handler(lambda: deadline.is_over, _STEPS)
            version = _version(connection)
            if is_index:
                own_file.require_ours(connection, TABLES)
            found = str(connection.execute("PRAGMA quick_check(1)").get)
            damage = Damage()
            complete = not is_index or read_rows(connection, damage, lambda: deadline.is_over)
    except own_file.ForeignError:
        problem = "it is another program's database"
        return Inspected(size, log_size, version, problem, complete=True)
    except apsw.InterruptError:
        return Inspected(size, log_size, version, "", complete=False)
    except apsw.Error as exc:
        return Inspected(size, log_size, version, str(exc), complete=True)
    problem = damage.words() if found == "ok" else found
    return Inspected(size, log_size, version, problem, complete or bool(problem))


def _version(connection: apsw.Connection) -> str:
    """The last migration, by name where there is a ledger, else by number."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if "migrations" in tables:
        names = [name for (name,) in connection.execute("SELECT name FROM migrations")]
        return max(names, default="")
    return f"version {connection.pragma('user_version')}"
