"""How anything in the worker refuses a request; it becomes an error frame."""

from xnai.errors import ErrorKind


class RefusedError(Exception):
    """A request that cannot be answered; ``values`` fill the words of ``kind``."""

    def __init__(self, kind: ErrorKind, **values: object) -> None:
        self.kind = kind
        self.values = values
        super().__init__(kind.code)
