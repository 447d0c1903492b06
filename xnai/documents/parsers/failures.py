"""How the worker process says why a document cannot be read."""

from xnai.documents.parsers.frames import Unreadable
from xnai.errors import ErrorKind


class Failure(Exception):  # noqa: N818 - it is no error of the program
    """A catalogued reason; the parent, which knows the file's name, makes an XnaiError of it."""

    def __init__(self, kind: ErrorKind, **values: str | int) -> None:
        super().__init__(kind.code)
        self.kind = kind
        self.values = values

    @property
    def frame(self) -> Unreadable:
        """What the parent is told."""
        return Unreadable(self.kind.code, self.values)
