"""Ten minutes of mixed use: no process grows, and all together take no more than is promised."""

import subprocess
import sys

import pytest
from paths import ROOT

_MINUTES = 10


@pytest.mark.engine
@pytest.mark.nightly
@pytest.mark.timeout(60 * _MINUTES + 600)
def test_memory_is_flat_after_ten_minutes_of_mixed_use(tmp_path):
    done = subprocess.run(
        [sys.executable, "bench/soak.py", "--minutes", str(_MINUTES), "--seed", "7"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " answered" in done.stdout
    assert " uploaded" in done.stdout
