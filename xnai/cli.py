"""The command line: `xnai …`."""

import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from xnai.backup.command import backup_command, restore_command
from xnai.breaker_cli import breaker_cli
from xnai.client import Client
from xnai.doctor.command import doctor_command
from xnai.errors import NOT_FOUND, PORT_TAKEN, SETTING_INVALID, XnaiError
from xnai.evaluation.command import evaluate_command
from xnai.models.command import models_cli
from xnai.settings import Settings, load_settings, unknown_variables

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
APP = Path(__file__).resolve().parent.parent / "app.py"


@cli.command()
def serve() -> None:
    """Serve the page and the API on XNAI_HOST:XNAI_PORT until Ctrl-C."""
    settings = load_settings()
    for name in unknown_variables():
        print(f"{name} is set, but there is no such setting.", file=sys.stderr)
    _check_port(settings)
    # Chainlit reads these when it is imported; the same server as `chainlit run app.py`.
    os.environ["CHAINLIT_APP_ROOT"] = str(APP.parent)
    os.environ["CHAINLIT_HOST"] = settings.host
    os.environ["CHAINLIT_PORT"] = str(settings.port)
    from chainlit.cli import run_chainlit  # noqa: PLC0415 - after its variables are set
    from chainlit.config import config  # noqa: PLC0415

    config.run.headless = True
    run_chainlit(str(APP))


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@cli.command()
def ingest(files: list[Path], as_json: Json = False) -> None:
    """Add files to the running server's library, where the API and `xnai ask` find them."""
    client = Client(load_settings())
    for path in files:
        state = _ingest(client, path)
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


def _ingest(client: Client, path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise XnaiError(NOT_FOUND, what="file", name=str(path))
    began = time.monotonic()
    state: dict[str, Any] = {}
    for state in client.reading(client.upload(path)):
        seconds = time.monotonic() - began
        print(f"\r{path.name}: {state['status']}, {seconds:.0f} s ", end="", file=sys.stderr)
    print(file=sys.stderr)
    return state


cli.add_typer(breaker_cli, name="breaker")
cli.add_typer(models_cli, name="models")


def _check_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except socket.gaierror as exc:
            raise XnaiError(
                SETTING_INVALID,
                name="XNAI_HOST",
                value=settings.host,
                problem="it is no address of this machine",
            ) from exc
        except OSError as exc:
            raise XnaiError(
                PORT_TAKEN,
                host=settings.host,
                port=settings.port,
                reason=exc.strerror or str(exc),
                other=settings.port + 1,
            ) from exc


def main() -> None:
    """Run the command line; a catalogued error is one sentence and exit code 2."""
    try:
        cli()
    except XnaiError as exc:
        print(f"xnai: {exc}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
