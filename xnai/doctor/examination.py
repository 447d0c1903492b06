"""Runs all checks side by side; none of them can hold up the others or the end."""

import contextlib
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xnai.doctor import configuration, engine, machine, model, remote, search, server, storage
from xnai.doctor.finding import Check, Finding, Patient, warning
from xnai.settings import Settings

LIMIT_SECONDS = 10.0  # for all of them together
SERVER_SECONDS = 4.0  # for what runs on the port to say what it is

CHECKS: Sequence[tuple[str, Check]] = (
    ("settings", configuration.check),
    ("python", engine.check_python),
    ("processor", machine.check_processor),
    ("memory", machine.check_memory),
    ("clock", machine.check_clock),
    ("disk", storage.check_disk),
    ("data folder", storage.check_rights),
    ("databases", storage.check_databases),
    ("engine", engine.check_engine),
    ("model", model.check),
    ("embedding", search.check_embedding),
    ("scans", search.check_scans),
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
        """How many findings keep the program from its work."""
        return sum(one.level == "problem" for one in self.findings)

    @property
    def warnings(self) -> int:
        """How many findings are worth a look."""
        return sum(one.level == "warning" for one in self.findings)


def examine(checks: Sequence[tuple[str, Check]] = CHECKS) -> Report:
    """Look at everything."""
    settings, errors = configuration.examine()
    return run(Patient(settings, errors, _server(settings)), checks)


def _server(settings: Settings) -> dict[str, Any] | None:
    """What runs on the port, unless that drips its answer for ever."""
    told: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    asking = threading.Thread(target=lambda: told.put(server.ask_server(settings)), daemon=True)
    asking.start()
    with contextlib.suppress(queue.Empty):
        return told.get(timeout=SERVER_SECONDS)
    return None


def run(
    patient: Patient, checks: Sequence[tuple[str, Check]], limit: float = LIMIT_SECONDS
) -> Report:
    """Run checks for so many seconds at most; what is not through by then is said to hang."""
    done: queue.SimpleQueue[tuple[str, list[Finding]]] = queue.SimpleQueue()

    def work(name: str, check: Check) -> None:
        try:
            found = list(check(patient))
        except Exception as exc:  # noqa: BLE001 - one check less must not cost all others
            found = [warning(name, f"it could not be checked: {type(exc).__name__}")]
        done.put((name, found))

    for name, check in checks:
        # Whatever hangs in the kernel, such as a network disk, must not keep the program alive.
        threading.Thread(target=work, args=(name, check), daemon=True).start()
    found: dict[str, list[Finding]] = {}
    deadline = time.monotonic() + limit
    while len(found) < len(checks):
        try:
            name, findings = done.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        found[name] = findings
    words = f"no outcome after {limit:.0f} s: what it looks at hangs"
    findings = [one for name, _ in checks for one in found.get(name, [warning(name, words)])]
    return Report(findings, tuple(name for name, _ in checks if name not in found))
