"""The command line: `xnai …`."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from xnai.cli.backup import backup_command, restore_command
from xnai.cli.breaker import breaker_cli
from xnai.cli.doctor import doctor_command
from xnai.cli.documents import documents_cli
from xnai.cli.errors import FAILED, catalogued
from xnai.cli.evaluate import evaluate_command
from xnai.cli.mcp import mcp_command
from xnai.cli.models import models_cli
from xnai.cli.sync import sync_command
from xnai.client import Client
from xnai.documents.progress import rest
from xnai.errors import BAD_REQUEST, NOT_FOUND, XnaiError
from xnai.net import check_port
from xnai.settings import PREFIX, load_settings, unknown_variables
from xnai.ui.unused_imports import leave_out

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Private document chat that runs on one ordinary machine.",
)

cli.command("eval")(evaluate_command)
cli.command("doctor")(doctor_command)
cli.command("backup")(backup_command)
cli.command("restore")(restore_command)
cli.command("sync")(sync_command)
cli.command("mcp")(mcp_command)
APP = Path(__file__).resolve().parents[2] / "app.py"


@cli.command()
def serve(
    fetch_model: Annotated[
        bool,
        typer.Option(
            "--fetch-model",
            help="Fetch the recommended model, as `make run` does, unless XNAI_FETCH_MODEL is set.",
        ),
    ] = False,
) -> None:
    """Serve the page and the API on XNAI_HOST:XNAI_PORT until Ctrl-C."""
    settings = load_settings()
    if fetch_model and "fetch_model" not in settings.model_fields_set:
        os.environ[f"{PREFIX}FETCH_MODEL"] = "true"
    for name in unknown_variables():
        print(f"{name} is set, but there is no such setting.", file=sys.stderr)
    check_port(settings.host, settings.port)
    # Chainlit reads these when it is imported; the same server as `chainlit run app.py`.
    os.environ["CHAINLIT_APP_ROOT"] = str(APP.parent)
    os.environ["CHAINLIT_HOST"] = settings.host
    os.environ["CHAINLIT_PORT"] = str(settings.port)
    leave_out()
    from chainlit.cli import run_chainlit  # noqa: PLC0415 - after its variables are set
    from chainlit.config import config  # noqa: PLC0415

    config.run.headless = True
    run_chainlit(str(APP))


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@cli.command()
def ingest(
    files: list[Path],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace documents of the same file names.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Add files to the running server's library, where the API and `xnai ask` find them."""
    if replace:
        _refuse_equal_names(files)
    client = Client(load_settings())
    for path in files:
        state = _ingest(client, path, replace=replace)
        if as_json:
            print(json.dumps(state))
        else:
            print(f"{state['id']}  {path.name}")


@cli.command()
def ask(
    question: str,
    file: Annotated[list[Path] | None, typer.Option(help="Answer from this file.")] = None,
    as_json: Json = False,
) -> None:
    """Ask the running server, from files if some are given, and print the answer as it comes."""
    client = Client(load_settings())
    ids = [str(_ingest(client, path)["id"]) for path in file or []]
    text = ""
    citations: list[dict[str, Any]] = []
    for chunk in client.ask(question, ids):
        citations = chunk.get("citations") or citations
        for choice in chunk["choices"]:
            piece = choice["delta"].get("content") or ""
            text += piece
            if not as_json:
                print(piece, end="", flush=True)
    if as_json:
        print(json.dumps({"answer": text, "citations": citations}))
        return
    print()
    for cited in citations:
        page = f", p. {cited['page']}" if cited["page"] else ""
        print(f"[{cited['index']}] {cited['file_name']}{page}: {' '.join(cited['quote'].split())}")


def _refuse_equal_names(files: list[Path]) -> None:
    """Refuse two files of one name, of which the second would replace the first."""
    names = [path.name for path in files]
    for name in names:
        if names.count(name) > 1:
            raise XnaiError(
                BAD_REQUEST,
                problem=f"Several of these files are named {name!r}, and each would replace the "
                "one before.",
                fix="Leave --replace out, or give all but one of them another name.",
            )


def _ingest(client: Client, path: Path, *, replace: bool = False) -> dict[str, Any]:
    if not path.is_file():
        raise XnaiError(NOT_FOUND, what="file", name=str(path))
    state: dict[str, Any] = {}
    shown = 0
    try:
        for state in client.reading(client.upload(path, replace=replace)):
            words = f"{path.name}: {_how_far(state)}"
            print(f"\r{words:{shown}}", end="", file=sys.stderr, flush=True)
            shown = len(words)  # what a longer line has left is written over
    finally:
        print(file=sys.stderr)
    return state


def _how_far(state: dict[str, Any]) -> str:
    """Say of a file what is being done, how far that is, and how long it will take."""
    if state["status"] != "processing":
        return str(state["status"])
    far = rest(float(state.get("progress") or 0), state.get("eta_seconds"))
    return ", ".join(filter(None, (state.get("status_details") or "processing", far)))


cli.add_typer(breaker_cli, name="breaker")
cli.add_typer(documents_cli, name="documents")
cli.add_typer(models_cli, name="models")


def main() -> None:
    """Run the command line; whatever fails is one sentence and exit code 2."""
    try:
        cli()
    except BrokenPipeError:  # the reader of the output is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except Exception as exc:  # noqa: BLE001 - a traceback tells nobody what to do
        print(f"xnai: {catalogued(exc)}", file=sys.stderr)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
