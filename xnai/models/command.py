"""`xnai models …`."""

import asyncio
import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from xnai.settings import load_settings

if TYPE_CHECKING:
    from xnai.models.listing import Row
    from xnai.models.optimise import Gain

INTERRUPTED = 130
models_cli = typer.Typer(help="List, fetch, choose and speed up models.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(help="A model of `xnai models list`.")]


@models_cli.callback(invoke_without_command=True)
def models(context: typer.Context, as_json: Json = False) -> None:
    """List, fetch, choose and speed up models; without a command: list them."""
    if context.invoked_subcommand is None:
        list_models(as_json=as_json)


@models_cli.command("list")
def list_models(as_json: Json = False) -> None:
    """List the models that can be chosen, the default first, and whether they fit into memory."""
    from xnai.models.listing import rows  # noqa: PLC0415 - keeps `xnai --help` quick

    found = rows(load_settings())
    if as_json:
        print(json.dumps([asdict(row) for row in found]))
        return
    for row in found:
        print(_line(row))


def _line(row: "Row") -> str:
    mark = "*" if row.default else " "
    start = f"{mark} {row.name:40} {row.size / 1e6:8,.0f} MB  {row.quantisation:7}"
    if row.problem:
        return f"{start} {row.problem}"
    return f"{start} {row.context:,} of {row.trained:,} tokens, {row.memory / 1e9:.1f} GB: fits"


@models_cli.command()
def get(
    name: Annotated[str, typer.Argument(help="owner/repository, :Q4_K_M or :file.gguf after it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Replace a file of that name.")] = False,
    as_json: Json = False,
) -> None:
    """Download a model from a hub into the models folder, and check that it arrived whole.

    What is interrupted goes on with the same command. HF_ENDPOINT names another hub, HF_TOKEN a
    token for it.
    """
    from xnai.models.fetch import Fetch  # noqa: PLC0415 - imports the hub's library
    from xnai.models.hub import Hub  # noqa: PLC0415

    def may_replace(path: Path) -> bool:
        if yes or not sys.stdin.isatty():
            return yes
        return typer.confirm(f"{path} is there already and is another file. Replace it?", err=True)

    try:
        got = Fetch(load_settings(), Hub(), may_replace).get(name)
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on where it was.", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        row = {"name": got.file.name, "path": str(got.file.path), "downloaded": got.fresh}
        print(json.dumps(row))
        return
    print(f"{got.file.path} {'is whole' if got.fresh else 'was there already, whole'}.")
    print(f"next: xnai models use {got.file.name}")


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


@models_cli.command()
def optimize(
    name: Name,
    q4: Annotated[
        bool, typer.Option("--q4", help="Four bits a weight: fastest, but of less quality.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the copy in any case.")] = False,
    as_json: Json = False,
) -> None:
    """Requantise a model for this processor beside the original, and say what that gains."""
    from xnai.models.optimise import optimise  # noqa: PLC0415

    # What the two workers log while they are measured is nobody's concern; failures are raised.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))

    def tell(words: str) -> None:
        print(f"{words} …", file=sys.stderr, flush=True)

    try:
        work = optimise(load_settings(), name, "Q4_0" if q4 else "Q8_0", tell, keep=keep)
        gain = asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        row = asdict(gain) | {"path": str(gain.path)}
        ratios = {"prefill_ratio": gain.prefill, "decode_ratio": gain.decode}
        print(json.dumps(row | ratios))
        return
    _print_gain(gain)


def _print_gain(gain: "Gain") -> None:
    print(f"{'':12}{'before':>12}{'after':>12}{'ratio':>8}")
    for title, before, after, ratio in (
        ("prefill", gain.before.prefill, gain.after.prefill, gain.prefill),
        ("decode", gain.before.decode, gain.after.decode, gain.decode),
    ):
        print(f"{title:12}{before:8.1f} t/s{after:8.1f} t/s{ratio:8.2f}")
    sizes = gain.size_before / 1e6, gain.size_after / 1e6
    print(f"{'size':12}{sizes[0]:9,.0f} MB{sizes[1]:9,.0f} MB{sizes[1] / sizes[0]:8.2f}")
    if gain.kept:
        print(f"{gain.model} is untouched beside {gain.path}.")
        print(f"next: xnai models use {gain.copy}")
    else:
        print(f"That gains too little: the copy was deleted. {gain.model} is untouched.")
