"""`xnai documents …`: what a data folder holds, and what of it is to be removed for good."""

import asyncio
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xnai.errors import BAD_REQUEST, XnaiError
from xnai.settings import load_settings

if TYPE_CHECKING:
    from xnai.documents.inventory import Inventory

documents_cli = typer.Typer(
    no_args_is_help=True,
    help="Look at the documents of the data folder, whether a server runs or not.",
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
_SHOWN = ("id", "owner", "collection", "file_name", "size", "status", "chunk_count")


@documents_cli.command("list")
def list_all(
    missing: Annotated[bool, typer.Option("--missing", help="Only what is missing.")] = False,
    as_json: Json = False,
) -> None:
    """List the documents with their states, and the files that no document is known of."""
    from xnai.documents.inventory import take_stock  # noqa: PLC0415 - keeps `xnai --help` quick

    stock = take_stock(load_settings().data_dir)
    rows = _rows(stock, missing=missing)
    if as_json:
        summary = {"data": rows, "unrecorded": stock.unrecorded, "away": stock.away}
        print(json.dumps(summary | {"missing": len(stock.missing), "damage": stock.damage}))
        return
    for row in rows:
        reason = f"  ({row['reason']})" if row["reason"] else ""
        print(f"{row['id']}  {row['status']:10}  {row['owner']:24}  {row['file_name']}{reason}")
    for document_id in () if missing else stock.unrecorded:
        print(f"{document_id}  {'unrecorded':10}  the next start of the server reads it again")
    print(_summary(stock), file=sys.stderr)


@documents_cli.command()
def prune(yes: Yes = False, as_json: Json = False) -> None:
    """Remove the documents whose files are missing, after showing them and asking.

    Their text, which can be searched still, goes too. Nothing else removes them: if their folder
    was moved or its disk is not mounted, put that right instead, and they come back by themselves.
    """
    from xnai.documents.inventory import take_stock  # noqa: PLC0415

    folder = load_settings().data_dir
    stock = take_stock(folder)
    rows = _rows(stock, missing=True)
    if not as_json:
        for row in rows:
            print(f"{row['id']}  {row['owner']:24}  {row['file_name']}  ({row['reason']})")
    if stock.away:
        print(f"{stock.away}. Put it back, and all of them come back.", file=sys.stderr)
    if (rows or stock.away) and not yes:
        if not sys.stdin.isatty():
            words = f"{len(rows)} documents would be removed, and there is nobody to ask."
            raise XnaiError(BAD_REQUEST, problem=words, fix="Say --yes.")
        typer.confirm(f"Remove {len(rows)} documents for good?", abort=True, err=True)
    removed = asyncio.run(_remove(folder, stock)) if rows or stock.away else []
    if as_json:
        print(json.dumps({"removed": removed}))
    else:
        print(f"{len(removed)} documents removed.")


async def _remove(folder: Path, stock: "Inventory") -> list[str]:
    """Remove what is still missing; a folder that is gone for good is begun anew."""
    from xnai.documents.folder_lock import FolderClaim  # noqa: PLC0415
    from xnai.documents.storage import OriginalFiles  # noqa: PLC0415
    from xnai.documents.survey import FOLDER, look  # noqa: PLC0415
    from xnai.llm.engine.prefix_files import PrefixFiles  # noqa: PLC0415
    from xnai.retrieval.embedding.onnx import DIMENSIONS  # noqa: PLC0415
    from xnai.retrieval.index.sqlite.index import SqliteIndex  # noqa: PLC0415

    files = OriginalFiles(folder / FOLDER, 0)
    removed: list[str] = []
    if stock.missing:
        index = SqliteIndex(folder / "index.sqlite3", DIMENSIONS)
        try:
            for record in stock.records:
                if not look(folder, known=True).fault(record):
                    continue
                if await index.delete(record.id):
                    removed.append(record.id)
                if not stock.away:
                    await asyncio.to_thread(files.remove, record.id)
                shutil.rmtree(folder / "page_images" / record.id, ignore_errors=True)
                PrefixFiles(folder, 0).remove(record.id)
        finally:
            await index.close()
    if stock.away:
        FolderClaim(folder / FOLDER).release()
    return removed


def _rows(stock: "Inventory", *, missing: bool) -> list[dict[str, Any]]:
    rows = []
    for record in stock.records:
        reason = stock.missing.get(record.id, "")
        if reason or not missing:
            row = {name: value for name, value in asdict(record).items() if name in _SHOWN}
            status = "missing" if reason else record.status
            rows.append(row | {"status": status, "reason": reason or record.error_message})
    return rows


def _summary(stock: "Inventory") -> str:
    words = f"{len(stock.records)} documents, {len(stock.missing)} missing"
    if stock.unrecorded:
        words += f", {len(stock.unrecorded)} files without a record"
    if stock.away:
        words += f". {stock.away}"
    if stock.damage:
        words += f". The index is damaged: {stock.damage}"
    return words + "."
