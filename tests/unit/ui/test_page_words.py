"""Chainlit's page in the languages that the program speaks."""

import json
import re
from pathlib import Path

import pytest
from chainlit.config import TRANSLATIONS_DIR
from paths import ROOT

from xnai.locale import LANGUAGES, texts_in
from xnai.ui.chainlit.page_words import OURS, help_text, words


def at(said, place):
    for key in place.split("."):
        said = said[key]
    return said


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("place", OURS)
def test_our_words_stand_in_the_place_of_chainlits(language, place):
    text = OURS[place]
    assert at(words(language), place) == (texts_in(language).say(text) if text else "")


@pytest.mark.parametrize("place", OURS)
def test_chainlit_has_words_in_each_place(place):
    """Else they would be read by nobody."""
    path = Path(TRANSLATIONS_DIR, "en-US.json")
    assert at(json.loads(path.read_text(encoding="utf-8")), place)


@pytest.mark.parametrize(
    ("language", "copied"),
    [
        ("de-AT", "In Zwischenablage kopieren"),
        ("de", "In Zwischenablage kopieren"),
        ("nl-NL", "Copy to clipboard"),
        ("../../etc/passwd", "Copy to clipboard"),
    ],
)
def test_the_rest_is_chainlits_own(language, copied):
    assert at(words(language), "chat.messages.actions.copy.button") == copied


def shape(text):
    blocks = text.strip().split("\n\n")
    return [re.match(r"#|\*\*|1\.|", one)[0] for one in blocks], re.findall(r"`[^`]+`", text)


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_help_says_the_same_in_each_language(language):
    english, said = help_text(str(ROOT), "en"), help_text(str(ROOT), language)
    assert shape(said) == shape(english)
    assert said != english
    assert re.findall(r"(?m)^\d\.", said) == ["1.", "2.", "3."]
