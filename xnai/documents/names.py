"""Names that came with a file, made fit to be shown; they are never used as paths."""

import re
import unicodedata

MAX_CHARACTERS = 150
MAX_SUFFIX = 12  # a longer one is part of the name
UNNAMED = "unnamed"

_SEPARATORS = re.compile(r"[/\\]")
_SPACES = re.compile(r"\s+")


def _is_harmful(character: str) -> bool:
    # Cc: control; Cf: format, which holds every bidi control, so that "fdp.exe" cannot be shown
    # reversed; Cs: lone surrogates, which no encoder takes; Co, Cn: nothing a font can show.
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"}


def display_name(name: str) -> str:
    """Return the last part of a name without controls, at most ``MAX_CHARACTERS`` long.

    The extension is kept when the name is cut, since it tells people what the file is.
    """
    last = next((part for part in reversed(_SEPARATORS.split(name)) if part.strip(". \0")), "")
    spaced = _SPACES.sub(" ", last)
    clean = "".join(c for c in spaced if not _is_harmful(c)).strip()
    if not clean.strip("."):
        return UNNAMED
    if len(clean) <= MAX_CHARACTERS:
        return clean
    stem, dot, suffix = clean.rpartition(".")
    if not stem or len(suffix) > MAX_SUFFIX:
        return clean[: MAX_CHARACTERS - 1] + "…"
    return stem[: MAX_CHARACTERS - len(dot + suffix) - 1] + "…" + dot + suffix


def extension(name: str) -> str:
    """Return the extension in lower case without its dot; empty where there is none."""
    stem, _, suffix = name.rpartition(".")
    return suffix.lower() if stem else ""
