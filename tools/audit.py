"""What is known of the locked dependencies: `audit.py licences`, `audit.py holes`. For developers.

`licences` reads the metadata of what is installed and prints docs/licences.md. `holes` runs
pip-audit, from an environment of its own that is thrown away, over every lock; it asks the advisory
service of PyPI and says so where that cannot be reached.
"""

import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

LOCKS = Path(__file__).resolve().parents[1] / "locks"
RUNTIME = ("runtime", "engine", "models")  # what is on the machine of whoever runs XNAi
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
_SHORT = 60  # characters; a longer field is the text of a licence
_SECONDS = 600
UNREACHABLE = 3  # exit code
_HEAD = """\
# Licences of the dependencies

XNAi itself is under Apache-2.0 (LICENSE). Every version that the locks name, with its licence as
its own metadata gives it. What is installed with XNAi (the locks `runtime`, `engine`, `models`) is
under licences that ask for no source of ours; `tests/unit/setup/test_licences.py` keeps it so. The
page
is made by `python tools/audit.py licences > docs/licences.md`; `make audit` prints it with
pip-audit's result. That asks PyPI's advisory service; a machine that cannot reach it is told "NOT
audited" for each lock, and the exit code is 3, never 0.
"""


@dataclass(frozen=True)
class Pinned:
    """A version in a lock, and its licence; empty if it is not installed here."""

    name: str
    version: str
    licence: str


def pinned(lock: str) -> list[Pinned]:
    """What a lock names."""
    text = (LOCKS / f"{lock}.lock").read_text(encoding="utf-8")
    return [Pinned(name, version, licence(name)) for name, version in _PIN.findall(text)]


def licence(name: str) -> str:
    """The licence of an installed distribution, in the words of its metadata."""
    try:
        told: Message = importlib.metadata.metadata(name)  # type: ignore[assignment]
    except importlib.metadata.PackageNotFoundError:
        return ""
    if expression := told.get("License-Expression"):
        return str(expression)
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in told.get_all("Classifier", [])
        if line.startswith("License :: ")
    ]
    classifiers = [one for one in classifiers if one != "OSI Approved"]
    field = str(told.get("License") or "").strip()
    if field and "\n" not in field and len(field) <= _SHORT and not classifiers:
        return field
    return " / ".join(classifiers) or (field.splitlines() or ["not said"])[0][:_SHORT]


def page() -> str:
    """The whole page docs/licences.md."""
    parts = [_HEAD]
    for path in sorted(LOCKS.glob("*.lock"), key=lambda p: (p.stem not in RUNTIME, p.stem)):
        rows = [
            f"| {one.name} | {one.version} | {one.licence or 'not installed on this machine'} |"
            for one in pinned(path.stem)
        ]
        table = "| Package | Version | Licence |\n| --- | --- | --- |\n" + "\n".join(rows)
        parts.append(f"## locks/{path.name}\n\n{table}\n")
    return "\n".join(parts)


def holes() -> int:
    """Print what pip-audit knows of each lock; returns the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder, "bin", "python")
        get = [python, "-m", "pip", "install", "--quiet", "pip-audit"]
        if subprocess.run(get, check=False, timeout=_SECONDS).returncode:
            print("pip-audit cannot be installed here: nothing was audited.", file=sys.stderr)
            return UNREACHABLE
        return max(_audited(python, path) for path in sorted(LOCKS.glob("*.lock")))


def _audited(python: Path, lock: Path) -> int:
    # Hashes and whole versions are in the lock, so nothing is resolved or installed.
    asked = [
        python,
        "-m",
        "pip_audit",
        "--requirement",
        lock,
        "--disable-pip",
        "--progress-spinner",
    ]
    run = subprocess.run(
        [*asked, "off", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    try:
        found = json.loads(run.stdout)["dependencies"]
    except (ValueError, KeyError):
        why = (run.stderr.strip().splitlines() or ["it said nothing"])[-1]
        print(f"{lock.name}: NOT audited; the advisory service was not reached ({why})")
        return UNREACHABLE
    known = [one for one in found if "skip_reason" not in one]
    skipped = [one for one in found if "skip_reason" in one]
    if not known:
        why = skipped[0]["skip_reason"] if skipped else "it names no package"
        print(f"{lock.name}: NOT audited, for no advisories were to be had ({why})")
        return UNREACHABLE
    bad = [one for one in known if one["vulns"]]
    print(f"{lock.name}: {len(known)} packages audited, {len(bad)} of them with known holes")
    for one in bad:
        print(f"  {one['name']} {one['version']}: {', '.join(v['id'] for v in one['vulns'])}")
    if skipped:
        print(f"  NOT audited: {', '.join(one['name'] for one in skipped)}")
    return 1 if bad else UNREACHABLE if skipped else 0


def main(*words: str) -> int:
    """Do what the command line says; returns the exit status."""
    if words == ("licences",):
        print(page(), end="")
        return 0
    if words == ("holes",):
        return holes()
    print("usage: audit.py licences | audit.py holes", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
