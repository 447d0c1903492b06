"""The history file: opened, brought up to date, replaced if it is damaged."""

from pathlib import Path

import apsw
import structlog

from xnai.ui import history_schema
from xnai.ui.history_rows import Row, now
from xnai.ui.history_steps import Steps
from xnai.ui.history_threads import Actor, Threads

log = structlog.get_logger(__name__)


class HistoryStore:
    """The history; to be used from one thread only."""

    def __init__(self, path: Path) -> None:
        try:
            self._db = _open(path)
        except (apsw.NotADBError, apsw.CorruptError) as exc:
            aside = path.with_name(f"{path.name}.damaged-{now().replace(':', '')}")
            path.rename(aside)
            for journal in ("-wal", "-shm"):
                Path(f"{path}{journal}").unlink(missing_ok=True)
            log.error("the history was damaged: a new one begins", reason=str(exc), old=str(aside))
            self._db = _open(path)
        self.threads = Threads(self._db)
        self.steps = Steps(self._db, self.threads)

    def whole_thread(self, actor: Actor, thread_id: str) -> Row | None:
        """A thread with its steps and elements, in their order.

        Raises:
            XnaiError: NOT_FOUND, it is somebody else's.

        """
        thread = self.threads.get(actor, thread_id)
        if thread is not None:
            thread["steps"] = self.steps.steps(thread_id)
            thread["elements"] = self.steps.elements(thread_id)
        return thread

    def check(self) -> None:
        """Have the turn to write, and write nothing."""
        with history_schema.transaction(self._db):
            pass

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _open(path: Path) -> apsw.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)  # SQLite gives its journals the rights of the file itself
    connection = apsw.Connection(str(path))
    try:
        history_schema.prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection
