"""What is left out of a server's imports is not needed by Chainlit, and is not there."""

import subprocess
import sys

import pytest

from xnai.ui.unused_imports import Traceloop

SERVED = """\
import sys
from xnai.ui.unused_imports import leave_out
leave_out()
import chainlit.cli, chainlit.server
print(*sorted({"traceloop.sdk.client", "pandas", "chainlit.server"} & sys.modules.keys()))
"""


def test_chainlit_needs_neither_the_sdk_nor_what_it_imports(tmp_path):
    command = [sys.executable, "-c", SERVED]
    told = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout.splitlines()[-1] == "chainlit.server"


def test_whoever_asks_the_sdk_for_something_is_told():
    with pytest.raises(RuntimeError, match="left out"):
        Traceloop().init()
