"""The licences of what is installed with XNAi, and the page that lists them."""

import importlib.util
import re

import pytest
from paths import ROOT

_spec = importlib.util.spec_from_file_location("audit", ROOT / "tools" / "audit.py")
audit = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(audit)

ALLOWED = re.compile(
    r"MIT(-0|-CMU| License)?|Apache(-| License )2\.0|Apache Software License|"
    r"BSD([ -]License|-[23]-Clause)?|3-Clause BSD License|0BSD|ISC( License \(ISCL\))?|Zlib|"
    r"CC0-1\.0|PSF-2\.0|Python Software Foundation License|any-OSI|Unlicense|"
    r"MPL-2\.0|Mozilla Public License 2\.0 \(MPL 2\.0\)|dependency licenses"
)
HERE = [one for lock in audit.RUNTIME for one in audit.pinned(lock) if one.licence]


@pytest.mark.parametrize("one", HERE, ids=lambda one: one.name)
def test_what_is_installed_with_xnai_asks_for_no_source_of_ours(one):
    parts = re.split(r" AND | OR | / |, ", one.licence)
    assert [part for part in parts if not ALLOWED.fullmatch(part)] == []
    assert not re.search(r"GPL|SSPL|AGPL|Commons Clause|Business Source", one.licence)


def test_most_of_the_locks_is_installed_where_tests_run():
    assert len(HERE) > 120


def test_the_page_has_every_locked_version():
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    for path in (ROOT / "locks").glob("*.lock"):
        section = page.partition(f"## locks/{path.name}\n")[2].partition("\n## ")[0]
        listed = re.findall(r"^\| ([\w.-]+) \| (\S+) \| \S", section, re.MULTILINE)[2:]
        assert listed == [(one.name, one.version) for one in audit.pinned(path.stem)]
