"""Errors of the index file as errors of the catalogue."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from xnai.errors import INDEX_DAMAGED, SEARCH_DOWN, XnaiError
from xnai.sqlite.errors import DAMAGED_VALUES, disk_full, reason_of, refused_write

_FULL = 1_000_000  # bytes; SQLite also reports failed writes as errors of input and output


@contextmanager
def catalogued(path: Path) -> Iterator[None]:
    """Turn SQLite's errors on the file ``path`` into errors of the catalogue."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError, *DAMAGED_VALUES) as exc:
        raise XnaiError(INDEX_DAMAGED, path=path, reason=reason_of(exc)) from exc
    except apsw.BusyError as exc:
        raise XnaiError(SEARCH_DOWN, reason=_words(path, exc)) from exc
    except (apsw.Error, OSError) as exc:
        if refused := refused_write(exc, path.parent):
            raise refused from exc
        if shutil.disk_usage(path.parent).free < _FULL:
            raise disk_full(path.parent) from exc
        raise XnaiError(SEARCH_DOWN, reason=_words(path, exc)) from exc


def _words(path: Path, exc: Exception) -> str:
    return f"{reason_of(exc)} ({path})"
