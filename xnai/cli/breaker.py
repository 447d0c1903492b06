"""`xnai breaker …`: look at the running server's circuit breakers, and set them by hand."""

import json
from typing import Annotated, Any

import typer

from xnai.client import Client
from xnai.settings import load_settings

breaker_cli = typer.Typer(
    no_args_is_help=True,
    help="Look at the running server's circuit breakers, and set them by hand.",
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Reason = Annotated[str, typer.Option(help="Why, for the log and for who looks at it.")]


@breaker_cli.command("list")
def list_all(as_json: Json = False) -> None:
    """List every breaker with its state."""
    rows = Client(load_settings()).breakers()
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['name']:32} {_state(row):22} {row['reason']}".rstrip())


@breaker_cli.command()
def show(name: str, as_json: Json = False) -> None:
    """Show one breaker in detail."""
    _print(Client(load_settings()).breaker(name), as_json=as_json)


@breaker_cli.command("open")
def open_one(name: str, reason: Reason = "", as_json: Json = False) -> None:
    """Stop asking a part until `close` or `reset`."""
    _act(name, "open", reason, as_json=as_json)


@breaker_cli.command()
def close(name: str, reason: Reason = "", as_json: Json = False) -> None:
    """Ask a part again, and watch it as usual."""
    _act(name, "close", reason, as_json=as_json)


@breaker_cli.command()
def reset(name: str, reason: Reason = "", as_json: Json = False) -> None:
    """Close a breaker and forget all that was counted; what is under way counts no more."""
    _act(name, "reset", reason, as_json=as_json)


@breaker_cli.command()
def disable(name: str, reason: Reason = "", as_json: Json = False) -> None:
    """Ask a part whatever happens, until `close` or `reset`."""
    _act(name, "disable", reason, as_json=as_json)


@breaker_cli.command()
def watch(name: str, reason: Reason = "", as_json: Json = False) -> None:
    """Count how calls of a part end but never stop asking it, until `close` or `reset`."""
    _act(name, "watch", reason, as_json=as_json)


def _act(name: str, action: str, reason: str, *, as_json: bool) -> None:
    _print(Client(load_settings()).breaker(name, action, reason), as_json=as_json)


def _print(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(row))
        return
    window, calls = row["window"], row["calls"]
    lines = {
        "name": row["name"],
        "state": f"{_state(row)}, for {row['for_seconds']:.0f} s",
        "reason": row["reason"] or "-",
        "next attempt": "-" if row["retry_in"] is None else f"in {row['retry_in']:.0f} s",
        "scope": f"{row['scope']}, {'shared' if row['shared'] else 'of this server alone'}",
        "window": f"{window['calls']} calls, {window['failures']} failed, {window['slow']} slow",
        "since start": ", ".join(f"{count} {outcome}" for outcome, count in calls.items()),
        "time open": f"{row['open_seconds']:.0f} s",
        "epoch": str(row["epoch"]),
    }
    for title, text in lines.items():
        print(f"{title:14}{text}")


def _state(row: dict[str, Any]) -> str:
    alone = row["shared"] and row["scope"] == "replica" and row["state"] != "closed"
    return f"{row['state']} (this replica)" if alone else str(row["state"])
