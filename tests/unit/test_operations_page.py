"""What docs/operations.md tells people to type and to look for is there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from xnai.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
GROUPS = {"breaker", "models"}


def commands():
    """The words of each `xnai` command of the page, up to its arguments."""
    found = set()
    for text in re.findall(r"(?m)^xnai .*$|`xnai [^`\n]*`", PAGE):
        words = shlex.split(text.strip("`"), comments=True)[1:]
        found.add(tuple(words[: 2 if words[0] in GROUPS else 1]))
    return sorted(found)


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_of_the_page_exists(words):
    command = [sys.executable, "-m", "xnai.cli", *words, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert 0 == done.returncode, done.stderr


def test_the_page_has_the_commands_of_operators():
    assert {("doctor",), ("backup",), ("restore",), ("models", "get")} <= set(commands())


def test_every_variable_of_the_page_is_a_setting():
    named = set(re.findall(rf"{PREFIX}([A-Z_]+)", PAGE))
    assert set() == named - {name.upper() for name in Settings.model_fields}


def test_every_link_of_the_page_leads_somewhere():
    links = re.findall(r"\]\(([^)#]+)", PAGE)
    assert [] == [link for link in links if not (ROOT / "docs" / link).exists()]
