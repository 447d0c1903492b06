"""Has LibreOffice convert one file: ``python -m xnai.documents.parsers.office_worker``.

The library is called by its C interface (LibreOfficeKit), since its program wants a socket, a
second process and a folder that all programs may write to, and this process may have none of them.
Macros are not run, and what a document links to is out of reach.

Arguments: PARENT MEMORY SECONDS PROGRAM SCRATCH and what it is to become, such as ``docx``; the
file lies in SCRATCH as ``in.doc``, and what is made of it will lie there as ``out.docx``.
"""

import ctypes
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xnai.processes.sandbox import probe, profiles
from xnai.processes.sandbox.confine import be_killed_with_parent, confine
from xnai.processes.sandbox.limits import limit

PROBE = "probe"  # in place of a format: try what must not go
LIBRARIES = ("libmergedlo.so", "libsofficeapp.so")  # the one or the other has the interface
WRITTEN = 2**28  # bytes of the largest file
# Places of functions in the tables of LibreOfficeKit and its documents, which only grow.
_LOAD_WITH_OPTIONS, _SAVE_AS = 4, 2


def _function(thing: int, place: int, result: Any, *arguments: Any) -> Callable[..., Any]:
    """A function of an object, whose first member is the table of them."""
    pointers = ctypes.POINTER(ctypes.c_void_p)
    table = ctypes.cast(thing, pointers)[0]
    address = ctypes.cast(table or 0, pointers)[place]
    return ctypes.CFUNCTYPE(result, ctypes.c_void_p, *arguments)(address or 0)


def convert(program: Path, scratch: Path, target: str) -> bool:
    """Convert the file in the scratch folder; says whether that was done."""
    library = next(program / name for name in LIBRARIES if (program / name).exists())
    start = ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL).libreofficekit_hook_2
    start.restype, start.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_char_p]
    office = start(os.fsencode(program), (scratch / "profile").as_uri().encode())
    if not office:
        return False
    (source,) = scratch.glob("in.*")
    load = _function(office, _LOAD_WITH_OPTIONS, ctypes.c_void_p, *[ctypes.c_char_p] * 2)
    document = load(office, source.as_uri().encode(), b"")
    if not document:
        return False
    save = _function(document, _SAVE_AS, ctypes.c_int, *[ctypes.c_char_p] * 3)
    made = (scratch / f"out.{target}").as_uri().encode()
    return bool(save(document, made, target.encode(), None))


def main() -> None:
    """Confine this process, then convert the file."""
    parent, memory_mb, seconds, program, scratch, target = sys.argv[1:7]
    be_killed_with_parent(int(parent))
    alone = confine(profiles.office(program, scratch))
    limit(int(memory_mb), float(seconds), WRITTEN)
    if target == PROBE:
        for told in probe.attempts(json.loads(sys.argv[7]), alone=alone):
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()
        os._exit(0)
    # Its own cleaning up has nothing to save, and may crash.
    os._exit(0 if convert(Path(program), Path(scratch), target) else 1)


if __name__ == "__main__":
    main()
