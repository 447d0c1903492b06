"""Runs all checks side by side; none of them can hold up the others or the end."""

import contextlib
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xnai.aio import Deadline
from xnai.doctor import (
    configuration,
    confinement,
    engine,
    folders,
    machine,
    model,
    remote,
    search,
    server,
    storage,
)
from xnai.doctor.finding import Check, CheckSubject, Finding, warning
from xnai.settings import Settings

LIMIT_SECONDS = 10.0  # for all checks together
SERVER_SECONDS = 4.0  # for the server on the port to answer

CHECKS: Sequence[tuple[str, Check]] = (
    ("settings", configuration.check),
    ("python", engine.check_python),
    ("processor", machine.check_processor),
    ("memory", machine.check_memory),
    ("clock", machine.check_clock),
    ("disk", storage.check_disk),
    ("data folder", storage.check_rights),
    ("databases", storage.check_databases),
    ("people", storage.check_people),
    ("documents", storage.check_documents),
    ("folders", folders.check),
    ("engine", engine.check_engine),
    ("model", model.check),
    ("embedding", search.check_embedding),
    ("scans", search.check_scans),
    ("confinement", confinement.check),
    ("redis", remote.check_redis),
    ("endpoints", remote.check_endpoints),
    ("port", server.check_port),
    ("server", server.check_health),
)


@dataclass(frozen=True, slots=True)
class Report:
    """All findings in the order of the checks; ``hung`` are the checks that had no outcome."""

    findings: list[Finding]
    hung: tuple[str, ...]

    @property
    def problems(self) -> int:
        """The number of findings that keep the program from its work."""
        return sum(one.level == "problem" for one in self.findings)

    @property
    def warnings(self) -> int:
        """The number of findings that are worth a look."""
        return sum(one.level == "warning" for one in self.findings)


def examine(checks: Sequence[tuple[str, Check]] = CHECKS) -> Report:
    """Run every check."""
    settings, errors = configuration.examine()
    return run(CheckSubject(settings, errors, _server(settings)), checks)


def _server(settings: Settings) -> dict[str, Any] | None:
    """Return what runs on the port, unless it drips its response for ever."""
    answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    fetching = threading.Thread(
        target=lambda: answers.put(server.fetch_readiness(settings)), daemon=True
    )
    fetching.start()
    with contextlib.suppress(queue.Empty):
        return answers.get(timeout=SERVER_SECONDS)
    return None


def run(
    subject: CheckSubject, checks: Sequence[tuple[str, Check]], limit: float = LIMIT_SECONDS
) -> Report:
    """Run checks for that many seconds at most; those not finished by then are reported as hung."""
    done: queue.SimpleQueue[tuple[str, list[Finding]]] = queue.SimpleQueue()

    def work(name: str, check: Check) -> None:
        try:
            found = list(check(subject))
        except Exception as exc:  # noqa: BLE001 - one check less must not cost all others
            found = [warning(name, f"it could not be checked: {type(exc).__name__}")]
        done.put((name, found))

    for name, check in checks:
        # Daemons: a call that hangs in the kernel, as on a network disk, must not hold up the end.
        threading.Thread(target=work, args=(name, check), daemon=True).start()
    found: dict[str, list[Finding]] = {}
    deadline = Deadline.after(limit)
    while len(found) < len(checks):
        try:
            name, findings = done.get(timeout=deadline.left)
        except queue.Empty:
            break
        found[name] = findings
    words = f"no outcome after {limit:.0f} s: what it looks at hangs, or the machine is busy"
    findings = [one for name, _ in checks for one in found.get(name, [warning(name, words)])]
    return Report(findings, tuple(name for name, _ in checks if name not in found))
