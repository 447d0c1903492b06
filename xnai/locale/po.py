"""Catalogues in gettext's form, read as they are: nothing has to be compiled before a start."""

import gettext
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

_LINE = re.compile(r'(?:(msgid_plural|msgid|msgstr)(?:\[(\d)\])? )?(".*")')
_PLURAL = re.compile(r"plural=([^;\n]{1,300});")


@dataclass(frozen=True, slots=True)
class Translations:
    """Translations by the English text, each with its forms; which of them a number needs."""

    texts: Mapping[str, tuple[str, ...]]
    plural: Callable[[int], int]


def read_catalogue(text: str) -> Translations:
    """Read a catalogue; what is not translated is left out.

    Raises:
        ValueError: the text is no catalogue, or does not say how its language counts.

    """
    texts: dict[str, tuple[str, ...]] = {}
    header = ""
    for entry in _entries(text):
        forms = tuple(entry[key] for key in sorted(entry) if key.startswith("msgstr"))
        if not entry.get("msgid"):
            header = forms[0] if forms else ""
        elif all(forms):
            texts[entry["msgid"]] = forms
    rule = _PLURAL.search(header)
    if rule is None:
        raise ValueError("a catalogue without Plural-Forms")
    return Translations(texts, gettext.c2py(rule[1].strip()))


def _entries(text: str) -> Iterator[dict[str, str]]:
    """The entries by their keywords; comments, and with them what is obsolete, are left out."""
    entry: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        if not line.strip():
            if entry:
                yield entry
            entry, key = {}, ""
        elif not line.startswith("#"):
            match = _LINE.fullmatch(line.strip())
            if match is None:
                raise ValueError(f"no line of a catalogue: {line[:80]!r}")
            if match[1]:
                key = f"{match[1]}{match[2] or ''}"
            # The escapes of gettext are among those of JSON.
            entry[key] = entry.get(key, "") + json.loads(match[3])
    if entry:
        yield entry
