"""`xnai backup` and `xnai restore`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from xnai.settings import load_settings

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def backup_command(
    folder: Annotated[Path, typer.Argument(help="Where to; a new or an empty folder.")],
    as_json: Json = False,
) -> None:
    """Copy documents, index, conversations and the cookies' secret; the server may be running."""
    from xnai.backup.archive import create_backup  # noqa: PLC0415 - keeps `xnai --help` quick

    done = create_backup(load_settings(), folder.expanduser().absolute(), _Progress())
    print(file=sys.stderr)
    if as_json:
        row = {"folder": str(done.folder), "documents": done.documents, "missing": done.missing}
        print(json.dumps({**row, "size": done.size}))
        return
    gone = f"; {done.missing} were deleted or changed meanwhile" if done.missing else ""
    print(f"{done.folder}: {done.documents} documents, {done.size / 1e6:,.1f} MB{gone}.")


def restore_command(
    folder: Annotated[Path, typer.Argument(help="A folder that `xnai backup` has made.")],
    as_json: Json = False,
) -> None:
    """Fill an empty data folder from a backup; start the server afterwards."""
    from xnai.backup.archive import restore_backup  # noqa: PLC0415

    done = restore_backup(load_settings(), folder.expanduser().absolute(), _Progress())
    print(file=sys.stderr)
    if as_json:
        print(json.dumps({"folder": str(done.folder), "documents": done.documents}))
        return
    print(f"{done.folder}: {done.documents} documents. next: make run")


class _Progress:
    """One line that is overwritten, or a line for each part if there is no terminal."""

    def __init__(self) -> None:
        self._told = ""

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how much of a part is copied."""
        if sys.stderr.isatty():
            print(f"\r\033[K{what}: {done} of {total}", end="", file=sys.stderr, flush=True)
        elif what != self._told:
            self._told = what
            print(what, file=sys.stderr, flush=True)
