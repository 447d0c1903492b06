"""Tells the test where catalogued errors are made, in every process that the server starts.

Python imports this by itself at the start of each process, since its folder is on PYTHONPATH.
"""

import contextlib
import os
import socket
import sys

# Children are told few names; one of a locale gets through.
PLACE = os.environ.get("LC_ERROR_SITES", "")


def watch(tell):
    """Have ``tell(file, line, code)`` called for every error that is made, until ``undo()``."""
    from xnai.documents.parsers.failures import Failure  # noqa: PLC0415 - only where it is wanted
    from xnai.errors import XnaiError  # noqa: PLC0415
    from xnai.llm.ipc import RefusedError  # noqa: PLC0415

    kinds = (XnaiError, Failure, RefusedError)
    former = [kind.__init__ for kind in kinds]
    for kind in kinds:
        made = kind.__init__

        def noted(self, *args, __made=made, **values):
            __made(self, *args, **values)
            frame = sys._getframe(1)
            tell(frame.f_code.co_filename, frame.f_lineno, self.kind.code)

        kind.__init__ = noted

    def undo():
        for kind, made in zip(kinds, former, strict=True):
            kind.__init__ = made

    return undo


if PLACE:
    # Opened before a child is confined, which may write into it all the same.
    _socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with contextlib.suppress(OSError):
        _socket.connect(PLACE)

    def _tell(file, line, code):
        with contextlib.suppress(OSError):
            os.write(_socket.fileno(), f"{file}\n{line}\n{code}".encode())

    watch(_tell)
