"""Names of libraries, made fit to be told apart."""

import unicodedata

from xnai.errors import LIBRARY_NAME_EMPTY, LIBRARY_NAME_TOO_LONG, LIBRARY_NAME_UNSEEN, XnaiError
from xnai.retrieval.libraries import NamedLibrary

OWN_NAME = "My library"  # of the library that everybody has; the page says it in its language
LONGEST_NAME = 100  # characters
_JOINERS = "\u200c\u200d"  # cannot be seen, but words of some languages need them
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def name_of(library: NamedLibrary) -> str:
    """Return what a library is called, in English for the one that everybody has."""
    return OWN_NAME if library.is_own else library.name


def checked_name(text: str) -> str:
    """Return a name as it is kept.

    Raises:
        XnaiError: LIBRARY_NAME_EMPTY, LIBRARY_NAME_TOO_LONG, LIBRARY_NAME_UNSEEN.

    """
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if len(name) > LONGEST_NAME:
        raise XnaiError(LIBRARY_NAME_TOO_LONG, count=len(name), limit=LONGEST_NAME)
    for character in name:
        if unicodedata.category(character) in _UNSEEN and character not in _JOINERS:
            raise XnaiError(LIBRARY_NAME_UNSEEN, character=f"U+{ord(character):04X}")
    if not folded(name):
        raise XnaiError(LIBRARY_NAME_EMPTY)
    return name


def folded(name: str) -> str:
    """Return a name as names are compared: in any letters and spaces, without what is not seen."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return " ".join("".join(c for c in plain if c not in _JOINERS).split())
