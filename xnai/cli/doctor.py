"""`xnai doctor`."""

import json
import logging
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from xnai.doctor.finding import Finding

if TYPE_CHECKING:
    from xnai.doctor.examination import Report

_MARKS = {"ok": "ok  ", "warning": "warn", "problem": "FAIL"}
_COLOURS = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "problem": typer.colors.RED}


def doctor_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at machine, files, settings and server; say what is wrong and what to type next.

    Nothing is changed, and it ends within seconds whatever hangs. The exit code is 0 if XNAi can
    run here (warnings included), and 1 if something keeps it from that.
    """
    from xnai.doctor.examination import examine  # noqa: PLC0415 - keeps `xnai --help` quick

    # The findings say what the parts would log while they are tried.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    report = examine()
    if as_json:
        rows = [asdict(one) for one in report.findings]
        print(json.dumps({"ok": not report.problems, "findings": rows}))
    else:
        for finding in report.findings:
            _print(finding)
        print(_summary(report))
    sys.stdout.flush()
    code = 1 if report.problems else 0
    if report.hung:
        os._exit(code)  # a normal exit would wait for hanging threads
    raise typer.Exit(code)


def _print(finding: Finding) -> None:
    mark = typer.style(_MARKS[finding.level], fg=_COLOURS[finding.level])
    typer.echo(f"{mark}  {finding.area:12} {finding.text}")
    if finding.command:
        typer.echo(f"{'':20}next: {finding.command}")


def _summary(report: "Report") -> str:
    verdict = "XNAi cannot run as it should" if report.problems else "XNAi can run"
    count = len(report.findings)
    return f"\n{verdict}: {report.problems} problems, {report.warnings} warnings, {count} findings."
