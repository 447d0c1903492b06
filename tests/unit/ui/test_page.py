import json
import re
from pathlib import Path

import chainlit.server
import pytest
from outside_addresses import outside_addresses
from paths import ROOT

from xnai.ui.chainlit import bundle, page
from xnai.ui.chainlit.page import KATEX_STYLES, private_page

BUILT = Path(chainlit.server.build_dir)


def built_page() -> str:
    serve = getattr(chainlit.server.get_html_template, "original", None)
    return str((serve or chainlit.server.get_html_template)(""))


def test_chainlits_own_page_names_other_machines():
    assert any("cdn.jsdelivr.net" in tag for tag in outside_addresses(built_page()))


def test_the_page_names_no_other_machine():
    assert outside_addresses(private_page(built_page())) == []


@pytest.mark.parametrize("path", sorted(BUILT.glob("assets/*.css")), ids=lambda p: p.name)
def test_the_style_sheets_name_no_other_machine(path: Path):
    assert outside_addresses(path.read_text()) == []


def test_the_page_keeps_its_own_scripts_and_styles():
    html = private_page(built_page())
    kept = [html.count('src="/assets/'), html.count('rel="stylesheet" crossorigin href="/assets/')]
    assert kept == [1, 1]


@pytest.mark.parametrize(
    "tag",
    [
        '<link rel="preconnect" href="https://fonts.example" />',
        "<LINK REL=stylesheet\n HREF=HTTP://cdn.example/a.css>",
        "<link rel='stylesheet' href='//cdn.example/a.css'>",
        '<meta property="og:image" content="https://cdn.example/a.png">',
        '<script src="https://cdn.example/a.js"></script>',
        '<img src="https://cdn.example/a.png">',
    ],
)
def test_a_tag_with_an_outside_address_is_dropped(tag: str):
    html = private_page(f"<html><head>{tag}</head></html>")
    assert "example" not in html


def test_the_style_sheet_of_formulas_is_served_from_here():
    tag = '<link rel="stylesheet" href="https://cdn.example/npm/katex@0.16.22/dist/katex.min.css"/>'
    html = private_page(f"<head>{tag}</head>", "/root")
    assert f'<link rel="stylesheet" href="/root/public/{KATEX_STYLES}">' in html
    assert (ROOT / "public" / KATEX_STYLES).is_file()
    # Its fonts are of the version that the page's scripts are.
    version = json.loads((ROOT / "public/vendor/manifest.json").read_bytes())["katex"]["version"]
    assert f"katex@{version}/" in built_page()


def test_a_single_dollar_is_money_in_the_scripts_that_are_served():
    page = bundle.with_changed_scripts(built_page())
    (script,) = re.findall(rf'src="/assets/{bundle.CHANGED}/(index-[^"]+)"', page)
    content = (BUILT / "assets" / script).read_bytes()
    changed = bundle.changed(content)
    assert len(changed) == len(content)
    assert sum(a != b for a, b in zip(changed, content, strict=True)) == 1
    # Other scripts name it by a relative address, or it would be there twice.
    for other in (BUILT / "assets").glob("*.js"):
        words = other.read_text(encoding="utf-8").rpartition("\n//# sourceMappingURL")[0]
        assert words.count(script) == words.count(f"./{script}")


def test_the_policy_comes_before_everything_that_is_loaded():
    html = private_page(built_page())
    assert html.index("Content-Security-Policy") < min(html.index("<link"), html.index("<script"))


def test_the_policy_names_no_other_machine_and_each_inline_script_by_its_hash():
    html = private_page("<head><script>alert(1)</script></head>")
    # printf 'alert(1)' | openssl dgst -sha256 -binary | base64
    digest = "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"
    policy = html.partition('content="')[2].partition('"')[0]
    assert (digest in policy, "http" in policy, "*" in policy) == (True, False, False)


def test_installing_twice_wraps_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chainlit.server, "get_html_template", lambda _root: "<head></head>")
    page.install()
    page.install()
    assert chainlit.server.get_html_template("").count("Content-Security-Policy") == 1


@pytest.mark.parametrize(
    ("told", "begin"),
    [
        ({}, '<html data-person="local" data-most-mb='),
        ({"have_keys": True}, "<html data-most-mb="),
        (
            {"model_elsewhere": True},
            '<html data-person="local" data-model="elsewhere" data-most-mb=',
        ),
    ],
)
def test_the_page_knows_whether_there_are_keys_and_where_its_model_is(monkeypatch, told, begin):
    html = '<html lang="en"><head></head></html>'
    monkeypatch.setattr(chainlit.server, "get_html_template", lambda _root: html)
    page.install(**told)
    served = chainlit.server.get_html_template("")
    assert begin in served
    limits = page.config.features.spontaneous_file_upload
    assert f'data-most-files="{limits.max_files}"' in served
