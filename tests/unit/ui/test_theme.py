"""The style sheet of our own pages, made of the chat's theme."""

import pytest

from xnai.ui.pages import rendering


def test_it_has_the_colours_of_the_chat_for_light_and_dark():
    css = rendering.theme_css()
    assert css.count("--background:") == 3
    assert "prefers-color-scheme: dark" in css


@pytest.mark.parametrize("theme", [None, "", "[]", '{"variables": {"light": 3}}', "\x00"])
def test_without_a_theme_there_is_no_style_and_no_failure(theme, tmp_path, monkeypatch):
    if theme is not None:
        (tmp_path / "theme.json").write_text(theme, encoding="utf-8")
    monkeypatch.setattr(rendering, "public_dir", str(tmp_path))
    assert rendering.theme_css() == ""
