"""The ten lines of the README, run as a stranger would: the package alone, nothing else of xnai."""

import re
import shutil
import subprocess
import sys
import textwrap

import pytest
from paths import ROOT

from rig.redis_server import RedisServer, binaries

PACKAGE = ROOT / "xnai" / "resilience"
LINES = re.search(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text("utf-8"), re.DOTALL)[1]
PROGRAM = """
import asyncio, sys
from contextlib import aclosing

async def tokens(prompt):
    for word in prompt.split():
        yield word

async def main():
{lines}
    assert payments.counts.succeeded == 3, payments.counts.by_outcome()
    print(breakers.status()[0].shared, sorted(name for name in sys.modules if name[:5] == "xnai."))

asyncio.run(main())
"""


@pytest.fixture
def alone(tmp_path):
    """A folder with the package and nothing else of the program; runs code there."""
    (tmp_path / "xnai").mkdir()
    (tmp_path / "xnai" / "__init__.py").touch()
    shutil.copytree(PACKAGE, tmp_path / "xnai" / "resilience")

    def run(code):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def program(url):
    lines = LINES.replace("redis://127.0.0.1:6379", url)
    return PROGRAM.format(lines=textwrap.indent(lines, "    "))


def test_the_readmes_lines_work_without_redis_and_without_its_library(alone):
    code = program("") + "assert not any(name.startswith('redis') for name in sys.modules)"
    shared, _, modules = alone(code).partition(" ")

    assert shared == "False"
    assert all(f"'{name}'" not in modules for name in ("xnai.errors", "xnai.settings"))


def test_the_readmes_lines_work_with_redis(alone, tmp_path):
    server = RedisServer(binaries()["valkey"], tmp_path / "valkey").start()
    try:
        assert alone(program(server.url)).startswith("True ")
    finally:
        server.stop()


def test_every_module_can_be_imported_without_the_rest_of_the_program(alone):
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in PACKAGE.rglob("*.py")
    ]
    alone("\n".join(f"import {name.removesuffix('.__init__')}" for name in names))


def test_it_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").is_file()
