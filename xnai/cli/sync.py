"""`xnai sync`: keeps a library of the running server in step with a folder of this machine."""

import asyncio
import hashlib
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xnai.errors import BAD_REQUEST, SERVER_UNREACHABLE, SYNC_FOLDER_UNUSABLE, XnaiError
from xnai.settings import load_settings

if TYPE_CHECKING:
    from xnai.cli.sync_client import RemoteKeeper
    from xnai.documents.folders.in_step import Summary
    from xnai.documents.folders.scan import LeftOut

_NAMED = 20  # files that a summary names of each kind
_AGAIN_SECONDS = 10.0  # after which a watch tries again what failed
_TOLD_EVERY = 0.1  # seconds
_MACHINE = Path("/etc/machine-id")


def sync_command(  # noqa: PLR0913, PLR0917 - the options of a command
    folder: Path,
    library: Annotated[str, typer.Option(help="Name of the library; made if there is none.")],
    watch: Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C.")] = False,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete from the library what the folder has no more.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before deleting.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Keep a library in step with a folder: send what is new, follow what was moved.

    Only what has changed is sent. Nothing is deleted without --delete, and then it asks. What
    .xnaiignore in the folder names, in the form of .gitignore, is left out, and so are names that
    begin with a dot. It can be stopped at any time, and goes on where it was.
    """
    from xnai.cli.sync_client import RemoteKeeper  # noqa: PLC0415 - keeps `xnai --help` quick
    from xnai.client import Client  # noqa: PLC0415

    try:
        place = folder.expanduser().resolve(strict=True)
    except OSError as exc:
        reason = exc.strerror or "it is not there"
        raise XnaiError(SYNC_FOLDER_UNUSABLE, folder=folder, reason=reason) from exc
    client = Client(load_settings())
    keeper = RemoteKeeper(client, library, source_of(place), make=not dry_run)
    may_delete = _asker(delete=delete, yes=yes)
    try:
        if watch and not dry_run:
            asyncio.run(_watch(place, keeper, may_delete, as_json=as_json))
        else:
            asyncio.run(_once(place, keeper, may_delete, dry_run=dry_run, as_json=as_json))
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on where it was.", file=sys.stderr)
        raise typer.Exit(130) from None


def source_of(folder: Path) -> str:
    """Return what a server knows a folder of this machine by; it tells nothing of either."""
    try:
        machine = _MACHINE.read_text("ascii").strip()
    except (OSError, ValueError):
        machine = platform.node()
    name = f"{machine}\0{folder}".encode("utf-8", "surrogateescape")
    return hashlib.blake2b(name, digest_size=16).hexdigest()


def _asker(*, delete: bool, yes: bool) -> Callable[[Sequence[str]], bool]:
    def may_delete(paths: Sequence[str]) -> bool:
        if not delete or yes:
            return delete
        _clear()
        for path in paths[:_NAMED]:
            print(f"  {_shown(path)}", file=sys.stderr)
        if len(paths) > _NAMED:
            print(f"  and {len(paths) - _NAMED:,} more", file=sys.stderr)
        if not sys.stdin.isatty():
            what = f"{_files(len(paths))} would be deleted from the library"
            problem = f"{what}, and there is nobody to ask."
            raise XnaiError(BAD_REQUEST, problem=problem, fix="Say --yes.")
        return typer.confirm(f"Delete {_files(len(paths))} from the library?", err=True)

    return may_delete


async def _once(  # noqa: PLR0913 - how it is told
    folder: Path,
    keeper: "RemoteKeeper",
    may_delete: Callable[[Sequence[str]], bool],
    *,
    dry_run: bool,
    as_json: bool,
    quiet: bool = False,
) -> None:
    from xnai.documents.folders.in_step import bring_in_step  # noqa: PLC0415

    summary = await bring_in_step(folder, keeper, _teller(), may_delete, only_look=dry_run)
    _clear()
    if as_json:
        print(json.dumps(_as_values(summary, dry_run=dry_run)), flush=True)
    elif not quiet or summary.added or summary.changed or summary.moved or summary.deleted:
        for line in lines_of(summary, dry_run=dry_run):
            print(line, flush=True)


async def _watch(
    folder: Path,
    keeper: "RemoteKeeper",
    may_delete: Callable[[Sequence[str]], bool],
    *,
    as_json: bool,
) -> None:
    from xnai.documents.folders.watching import changed  # noqa: PLC0415

    began = False
    while True:
        try:
            await _once(folder, keeper, may_delete, dry_run=False, as_json=as_json, quiet=began)
        except XnaiError as exc:
            if not began and exc.kind is not SERVER_UNREACHABLE and not exc.kind.retryable:
                raise
            print(f"xnai: {exc} Tried again in {_AGAIN_SECONDS:.0f} s.", file=sys.stderr)
            await asyncio.sleep(_AGAIN_SECONDS)
            continue
        if not began:
            print(f"Watching {folder}. Ctrl-C ends it.", file=sys.stderr)
        began = True
        await changed(folder)


def _teller() -> Callable[[str, int, int], None]:
    """Return what shows how far it is, on one line of a terminal."""
    told = 0.0

    def tell(doing: str, done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if sys.stderr.isatty() and (now - told > _TOLD_EVERY or done == total):
            told = now
            far = f" {done:,} of {total:,}" if total else ""
            print(f"\r\033[K{doing}{far}", end="", file=sys.stderr, flush=True)

    return tell


def _clear() -> None:
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def lines_of(summary: "Summary", *, dry_run: bool = False) -> list[str]:
    """Say what was done, in lines for a terminal."""
    counts = {
        "added": len(summary.added),
        "changed": len(summary.changed),
        "moved": len(summary.moved),
        "deleted": summary.deleted,
        "unchanged": summary.unchanged,
    }
    told = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    lines = [f"{'Would be: ' if dry_run else ''}{told or 'nothing to do'}."]
    if dry_run:
        lines += [f"  + {_shown(path)}" for path in summary.added[:_NAMED]]
        lines += [f"  * {_shown(path)}" for path in summary.changed[:_NAMED]]
        lines += [f"  {_shown(a)} -> {_shown(b)}" for a, b in summary.moved[:_NAMED]]
    if summary.copies:
        lines.append(f"{_files(summary.copies)} had a content that the library has already.")
    if summary.gone:
        words = "no longer in the folder, kept in the library (--delete deletes)"
        lines += [f"{_files(len(summary.gone))} {words}:", *_named(summary.gone)]
    if summary.unsure:
        words = "not to be seen now, kept (a folder is empty or closed, or its disk is away)"
        lines += [f"{_files(len(summary.unsure))} {words}:", *_named(summary.unsure)]
    lines += _with_reasons(summary.left_out, "not taken")
    lines += _with_reasons(summary.refused, "refused; sent again when changed")
    if summary.links:
        lines.append(f"Links are not followed; left out: {summary.links:,}.")
    if (summary.added or summary.changed) and not dry_run:
        lines.append("The server goes on reading what was sent; its page /documents shows how far.")
    return lines


def _with_reasons(some: "Sequence[LeftOut]", words: str) -> list[str]:
    if not some:
        return []
    told = [f"  {_shown(one.path)}: {one.reason}" for one in some[:_NAMED]]
    more = [f"  and {len(some) - _NAMED:,} more"] if len(some) > _NAMED else []
    return [f"{_files(len(some))} {words}:", *told, *more]


def _named(paths: Sequence[str]) -> list[str]:
    more = [f"  and {len(paths) - _NAMED:,} more"] if len(paths) > _NAMED else []
    return [*(f"  {_shown(path)}" for path in paths[:_NAMED]), *more]


def _files(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"


def _shown(path: str) -> str:
    """Return a path as a terminal can show it, whatever is in it."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in path)


def _as_values(summary: "Summary", *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "unchanged": summary.unchanged,
        "added": summary.added,
        "changed": summary.changed,
        "moved": [{"from": before, "to": after} for before, after in summary.moved],
        "copies": summary.copies,
        "gone": summary.gone,
        "deleted": summary.deleted,
        "unsure": summary.unsure,
        "left_out": [one._asdict() for one in summary.left_out],
        "refused": [one._asdict() for one in summary.refused],
        "links": summary.links,
    }
