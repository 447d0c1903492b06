"""What the program says by itself, in the language of whoever reads it.

The texts stand in the code in English, ``texts.say("Not found")``, and are found there by the tool
``tools/texts.py``; catalogues/ has a file for each other language, in gettext's form. A text that
is not translated is said in English.
"""

import functools
import re
from pathlib import Path

from xnai.locale.po import Translations, read_catalogue

__all__ = [
    "ENGLISH",
    "IN_ENGLISH",
    "LANGUAGES",
    "Texts",
    "in_all_languages",
    "marked",
    "preferred",
    "texts_in",
]

ENGLISH = "en"
LANGUAGES = (ENGLISH, "de", "fr", "es", "ja", "zh", "ar")
_RIGHT_TO_LEFT = frozenset({"ar"})
_CATALOGUES = Path(__file__).with_name("catalogues")
_LONGEST_HEADER = 300  # characters of an Accept-Language that are read
_QUALITY = re.compile(r"q=([01](?:\.\d{0,3})?)")


class Texts:
    """The texts of the program in one language.

    Args:
        language: its code, one of ``LANGUAGES``.
        catalogue: its translations.

    """

    def __init__(self, language: str, catalogue: Translations) -> None:
        self.language = language
        self._catalogue = catalogue

    @property
    def direction(self) -> str:
        """The direction of its script, as HTML has it: ``ltr`` or ``rtl``."""
        return "rtl" if self.language in _RIGHT_TO_LEFT else "ltr"

    def say(self, text: str, /, **values: object) -> str:
        """Say a text; ``values`` go where it has their names in braces."""
        return self.translation(text).format_map(values)

    def translation(self, text: str) -> str:
        """Return a text with its names still in braces."""
        return self._catalogue.texts.get(text, (text,))[0]

    def say_number(self, one: str, many: str, number: int, /, **values: object) -> str:
        """Say a text that depends on a number, which it has as ``{number}``."""
        forms = self._catalogue.texts.get(one)
        form = self._catalogue.plural(number) if forms else int(number != 1)
        return (forms or (one, many))[form].format_map({"number": number, **values})


@functools.cache
def texts_in(language: str) -> Texts:
    """Return the texts in a language; in English, if there are none in it."""
    if language not in LANGUAGES or language == ENGLISH:
        return Texts(ENGLISH, Translations({}, lambda number: int(number != 1)))
    text = (_CATALOGUES / f"{language}.po").read_text(encoding="utf-8")
    return Texts(language, read_catalogue(text))


IN_ENGLISH = texts_in(ENGLISH)


def marked(text: str) -> str:
    """Return a text as it is; it is translated where it is said, and found here."""
    return text


def in_all_languages(text: str) -> tuple[str, ...]:
    """Return a text without values in each language, to recognise it where it was said."""
    return tuple(dict.fromkeys(texts_in(language).say(text) for language in LANGUAGES))


def preferred(header: str) -> str:
    """Return the language that a browser's Accept-Language wants most; empty if we have none."""
    best, most = "", 0.0
    for wish in header[:_LONGEST_HEADER].split(","):
        tag, _, rest = wish.partition(";")
        language = tag.strip().partition("-")[0].lower()
        quality = _QUALITY.fullmatch(rest.strip() or "q=1")
        if language in LANGUAGES and quality and float(quality[1]) > most:
            best, most = language, float(quality[1])
    return best
