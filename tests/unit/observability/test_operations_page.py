"""What docs/operations.md tells people to type and to look for is there."""

import re
import shlex

import pytest
from paths import ROOT
from typer.testing import CliRunner

from xnai.cli.main import cli
from xnai.settings import PREFIX, Settings

PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
GROUPS = {"breaker", "documents", "models"}


def commands():
    """The words of each `xnai` command of the page, up to its arguments."""
    found = set()
    for text in re.findall(r"(?m)^xnai .*$|`xnai [^`\n]*`", PAGE):
        words = shlex.split(text.strip("`"), comments=True)[1:]
        found.add(tuple(words[: 2 if words[0] in GROUPS else 1]))
    return sorted(found)


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_of_the_page_exists(words):
    done = CliRunner().invoke(cli, [*words, "--help"])
    assert 0 == done.exit_code, done.output


def test_the_page_has_the_commands_of_operators():
    assert {("doctor",), ("backup",), ("restore",), ("models", "get")} <= set(commands())


def test_every_variable_of_the_page_is_a_setting():
    named = set(re.findall(rf"{PREFIX}([A-Z_]+)", PAGE))
    assert set() == named - {name.upper() for name in Settings.model_fields}


def test_every_link_of_the_page_leads_somewhere():
    links = re.findall(r"\]\(([^)#]+)", PAGE)
    assert [] == [link for link in links if not (ROOT / "docs" / link).exists()]
