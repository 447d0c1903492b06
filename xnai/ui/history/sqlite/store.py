"""The history file: opened, migrated, and replaced if it is damaged."""

from collections.abc import Callable
from pathlib import Path

import apsw
import structlog

from xnai.accounts.principal import Principal
from xnai.data_folder import marker
from xnai.errors import HISTORY_DOWN, XnaiError
from xnai.sqlite import own_file, reserve
from xnai.sqlite.errors import reason_of, refused_write
from xnai.sqlite.transactions import transaction
from xnai.ui.history.rows import Row
from xnai.ui.history.sqlite import schema
from xnai.ui.history.sqlite.choices import ChoiceTable
from xnai.ui.history.sqlite.steps import Steps
from xnai.ui.history.sqlite.threads import Threads

log = structlog.get_logger(__name__)

_TABLES = frozenset({"threads", "users"})


class HistoryStore:
    """Implements ``History``; to be used from one thread only."""

    def __init__(self, path: Path, id_of_former_name: Callable[[str], str] = str) -> None:
        self.note = ""
        self._folder = path.parent
        if not own_file.is_begun(path) and marker.holds(path.parent, marker.HISTORY):
            self.note = "the history was not there at the start: a new one was begun"
            log.error(self.note, file=str(path))
        try:
            self._db = _open(path, id_of_former_name)
        except (apsw.NotADBError, apsw.CorruptError, own_file.ForeignError) as exc:
            reason = "it is another program's" if str(exc) == "" else str(exc)
            aside = own_file.set_aside(path, reason, "damaged")
            self.note = f"the history was damaged: a new one was begun, the old is {aside.name}"
            self._db = _open(path, id_of_former_name)
        marker.record(path.parent, marker.HISTORY)
        self.threads = Threads(self._db)
        self.steps = Steps(self._db, self.threads)
        self.choices = ChoiceTable(self._db)

    def whole_thread(self, actor: Principal, thread_id: str) -> Row | None:
        """Return a thread with its newest steps and elements, in their order.

        ``shortened`` says whether there are more steps than a page can be sent.

        Raises:
            XnaiError: NOT_FOUND, it is somebody else's.

        """
        thread = self.threads.get(actor, thread_id)
        if thread is not None:
            thread["steps"] = self.steps.steps(thread_id)
            thread["elements"] = self.steps.elements(thread_id)
            thread["shortened"] = len(thread["steps"]) < self.steps.count(thread_id)
        return thread

    def remove_thread(self, actor: Principal, thread_id: str) -> None:
        """Delete a thread with everything in it, on a full disk with the room kept for that."""
        reserve.removing(self._folder, lambda: self.threads.delete(actor, thread_id))

    def check(self) -> str:
        """Wait for the turn to write, and write nothing; returns what was noted at the start."""
        with transaction(self._db):
            return self.note

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def explained(exc: Exception, path: Path) -> XnaiError:
    """Return the catalogued error for what a history on ``path`` has raised."""
    if refused := refused_write(exc, path.parent):
        return refused
    if not isinstance(exc, (apsw.Error, OSError)):
        log.error("the history failed unexpectedly", exc_info=exc)
    return XnaiError(HISTORY_DOWN, reason=reason_of(exc))


def _open(path: Path, id_of_former_name: Callable[[str], str]) -> apsw.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    own_file.prepare(path)
    connection = apsw.Connection(str(path))
    try:
        own_file.require_ours(connection, _TABLES)
        schema.prepare(connection, id_of_former_name)
    except BaseException:
        connection.close()
        raise
    return connection
