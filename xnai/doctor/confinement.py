"""Check of the sandbox of the processes that read untrusted bytes, tried from inside each."""

import asyncio
from collections.abc import Iterator, Mapping

from xnai.doctor.finding import CheckSubject, Finding, ok, warning
from xnai.documents.parsers import converters, office_converter, process
from xnai.llm.build.engine_build import EngineBuild
from xnai.llm.engine import launch
from xnai.processes.sandbox import landlock, trial
from xnai.processes.sandbox.syscalls import numbers

AREA = "confinement"
_NAMED = 3  # holes that are named


def check(subject: CheckSubject) -> Iterator[Finding]:
    """Let each child try to break out."""
    missing = _missing()
    if missing:
        yield warning(AREA, f"{' and '.join(missing)}: the rest holds the readers of files")
    with trial.decoys() as targets:
        tried = asyncio.run(_tried(targets, engine=EngineBuild(subject.settings).installed))
    for name, outcome in tried.items():
        if isinstance(outcome, BaseException):
            yield warning(AREA, f"{name}: it could not be tried: {type(outcome).__name__}")
        elif outcome.whole:
            yield ok(AREA, f"{name}: all of {len(outcome.tried)} ways out are shut")
        else:
            holes = ", ".join(outcome.holes[:_NAMED])
            count = f"{len(outcome.holes)} of {len(outcome.tried)} ways out are open"
            yield warning(AREA, f"{name}: {count} ({holes})")


async def _tried(
    targets: Mapping[str, str], *, engine: bool
) -> dict[str, trial.EscapeTrial | BaseException]:
    children = {
        "document reader": process.probe(targets),
        "converter": converters.probe(targets),
    }
    if office_converter.program_folder():
        children["LibreOffice"] = office_converter.probe(targets)
    if engine:
        children["language model"] = launch.probe(targets)
    outcomes = await asyncio.gather(*children.values(), return_exceptions=True)
    return dict(zip(children, outcomes, strict=True))


def _missing() -> list[str]:
    missing = []
    if landlock.version() == 0:
        missing.append("the kernel has no Landlock (Linux 5.13 and later have)")
    if not numbers():
        missing.append("system calls are not filtered on this processor")
    return missing
