"""Which encoding a text file is in: byte order mark, UTF-8, UTF-16, then the legacy ones."""

import codecs
import re
import unicodedata
from collections.abc import Iterable
from itertools import islice, pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

from charset_normalizer import from_bytes

SAMPLE_BYTES = 64 * 1024

# The order matters: the UTF-32 mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What people's files are in besides UTF; the fewer candidates, the fewer wrong guesses.
_LEGACY = [
    "cp932",
    "euc_jp",
    "gb18030",
    "big5",
    "euc_kr",
    "cp1250",
    "cp1251",
    "koi8_r",
    "cp1252",
    "cp1253",
    "cp1255",
    "cp1256",
    "cp1254",
    "cp850",
    "mac_roman",
]
# Of these the guesser cannot tell which a short text is in; words can, see ``_strangeness``.
_LATIN = {
    "cp1252": "àáâãäåæçèéêëìíîïðñòóôõöøùúûüþßœ",
    "cp1250": "áâäăąćčçďđéęëěíîĺľłńňóôöőŕřśšşťţúůüűýźžż",
    "cp1254": "çğıöşüâîûé",
    "cp850": "àáâãäåæçèéêëìíîïñòóôõöøùúûüß",
    "mac_roman": "àáâãäåæçèéêëìíîïñòóôõöøùúûüßœ",
}
_CLEARLY = 0.6  # of the strangeness of the guess that another encoding has at most to be taken
_WORD = re.compile(r"[^\s\d!-@\[-`{-~]+")
_OUTSIDE = (  # signs that stand beside words
    "\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u2013\u2014\u2026\u20ac\u00a3\u00a7\u00b0\u00a9\u00ae\u2122"
    "\u2022\u00b7\u00a0"
)
_VOWELS = frozenset("аеёиоуыэюяіїєўαεηιουωάέήίόύώϊϋΐΰ")
_MOST_WORDS = 3_000
_NEVER_ALONE = 3  # letters beyond ASCII that make up a word at most
_RARE = 0.5
_SINGLE_BYTE = {*_LATIN, "cp1251", "koi8_r", "cp1253", "cp1255", "cp1256"}
_FALLBACK = "cp1252"
_TEXT_CONTROLS = frozenset(b"\t\n\v\f\r\x1b\x1a")
_MAX_CONTROLS = 0.01  # of a text's bytes; noise has 0.1
_MOST_LOST = 0.001  # of a text's characters; with more it is in another encoding
_DAMAGED = 0.05  # of the special characters of a text in UTF-8 that may be lost
_LOST = "\ufffd"
_BLOCK = 2**20
_LONGEST_LINE = 2_000  # bytes that are looked at
_MIN_NULS = 0.2  # of all bytes, in UTF-16 of a mostly Latin text


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        # Not final: the sample may end inside a character.
        codecs.getincrementaldecoder(encoding)().decode(data)
    except UnicodeDecodeError:
        return False
    return True


def _utf16_without_mark(data: bytes) -> str | None:
    even, odd = data[0::2].count(0), data[1::2].count(0)
    if max(even, odd) < _MIN_NULS * len(data) or min(even, odd) > max(even, odd) // 10:
        return None
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    return encoding if _decodes(data, encoding) else None


def _has_few_controls(data: bytes) -> bool:
    controls = sum(1 for byte in data if byte < 0x20 and byte not in _TEXT_CONTROLS)  # noqa: PLR2004
    return controls <= _MAX_CONTROLS * len(data) + 1


def detect(sample: bytes) -> str | None:
    """Return the codec of a text from its first bytes, None if they are not text."""
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return encoding if _decodes(sample, encoding) else None
    if 0 in sample:
        return _utf16_without_mark(sample)
    if not _has_few_controls(sample):
        return None
    if _decodes(sample, "utf-8"):
        return "utf-8"
    return next(iter(_guesses(sample[: SAMPLE_BYTES // 4])), _FALLBACK)


def _guesses(sample: bytes) -> list[str]:
    """Legacy encodings that a text may be in, the likeliest first."""
    found = sorted(
        from_bytes(sample, cp_isolation=_LEGACY),
        key=lambda guess: (guess.chaos, -guess.coherence, guess.encoding != _FALLBACK),
    )
    return _by_words(sample, [guess.encoding for guess in found])


def _by_words(sample: bytes, guesses: list[str]) -> list[str]:
    """The guesses, before them an encoding of Latin script in which far fewer words are strange."""
    names = dict.fromkeys((*guesses[:1], *_LATIN, "cp1255", "cp1256"))
    if guesses and guesses[0] not in _SINGLE_BYTE:
        return guesses
    strange = {
        name: _strangeness(sample.decode(name, "replace"), _LATIN.get(name)) for name in names
    }
    first = guesses[0] if guesses else _FALLBACK
    best = min(strange, key=lambda name: (strange[name], name != first))
    if strange[best] <= _CLEARLY * strange[first] and strange[best] < strange[first]:
        return [best, *(name for name in guesses if name != best)]
    return guesses


def _strangeness(text: str, common: str | None) -> float:
    """How many of the words beyond ASCII no language has, in shares of them.

    A sign between letters, a capital behind a small letter, two scripts in one, or Latin letters
    beyond ASCII alone are strange; a letter that the languages of an encoding rarely have is a
    little.
    """
    words = [word.strip(_OUTSIDE) for word in islice(_WORD.findall(text), _MOST_WORDS)]
    words = [word for word in words if not word.isascii()]
    return sum(_is_strange(word, common) for word in words) / len(words) if words else 0.0


def _is_strange(word: str, common: str | None) -> float:
    beyond = [letter for letter in word if not letter.isascii()]
    latin = [letter for letter in beyond if unicodedata.name(letter, "").startswith("LATIN")]
    is_spelt = all(map(str.isalpha, word.replace("\u2019", "")))
    if not is_spelt or any(a.islower() and b.isupper() for a, b in pairwise(word)):
        return 1.0
    if (latin and len(latin) < len(beyond)) or (not latin and any(map(str.isascii, word))):
        return 1.0
    if len(latin) == len(word) > _NEVER_ALONE or word[0] == "\u00dd":  # no word begins with it
        return 1.0
    # Portuguese has this letter before an e alone; for Hungarian it is another one.
    is_hungarian = "õ" in word.lower() and "õe" not in word.lower()
    if is_hungarian or (not latin and len(word) >= _NEVER_ALONE and _has_no_vowel(word)):
        return 1.0
    rare = sum(letter.lower() not in common for letter in latin) if common else 0
    return _RARE * rare / len(beyond)


class Codec(NamedTuple):
    """What a whole file is in, and how many of its characters are lost in it."""

    name: str
    lost: int


def of_file(path: Path) -> Codec | None:
    """Return the codec of a text, by all of it; None if it is not text in any that is known."""
    with path.open("rb") as file:
        first = detect(file.read(SAMPLE_BYTES))
        if first is None:
            return None
        found = _read_as(file, first)
        is_marked = first.startswith(("utf-16", "utf-32")) or first == "utf-8-sig"
        if not is_marked and (found.lost or first != "utf-8"):
            file.seek(0)
            names = dict.fromkeys((*_guesses(_telling(file)), *_LEGACY))
            found = _best(file, found if first == "utf-8" else None, names)
        return Codec(found.name, found.lost) if found.is_credible else None


class _Reading(NamedTuple):
    """How a file reads in a codec: characters lost, beyond ASCII, and in all."""

    name: str
    lost: int
    special: int
    length: int

    @property
    def is_credible(self) -> bool:
        return self.lost <= max(_MOST_LOST * self.length, 1)


def _best(file: BinaryIO, utf8: _Reading | None, names: Iterable[str]) -> _Reading:
    """The codec in which a file loses least, of those that lose nothing the likeliest.

    A text in UTF-8 that is damaged here and there is told by all its other special characters.
    """
    if utf8 is None:
        utf8 = _read_as(file, "utf-8")
    if utf8.is_credible and utf8.lost <= _DAMAGED * (utf8.special - utf8.lost):
        return utf8
    best = utf8
    for name in names:
        reading = _read_as(file, name)
        if best is utf8 or reading.lost < best.lost:
            best = reading
        if best.lost == 0:
            break
    return best


def _read_as(file: BinaryIO, name: str) -> _Reading:
    file.seek(0)
    decoder = codecs.getincrementaldecoder(name)(errors="replace")
    lost = special = length = 0
    is_last = False
    while not is_last:
        block = file.read(_BLOCK)
        is_last = not block
        text = decoder.decode(block, final=is_last)
        length += len(text)
        if not text.isascii():
            lost += text.count(_LOST)
            special += len(text) - len(text.encode("ascii", "ignore"))
    return _Reading(name, lost, special, length)


def _telling(file: BinaryIO) -> bytes:
    """Lines of a file, from all over it, that are not plain ASCII."""
    kept, room = [], SAMPLE_BYTES // 2
    while room > 0 and (block := file.read(_BLOCK)):
        if block.isascii():
            continue
        share = min(room, SAMPLE_BYTES // 8)
        for line in block.split(b"\n"):
            if share <= 0:
                break
            if not line.isascii():
                kept.append(line[:_LONGEST_LINE])
                share -= len(kept[-1])
                room -= len(kept[-1])
    return b"\n".join(kept)


def _has_no_vowel(word: str) -> bool:
    """Whether a word in a script that writes vowels has none."""
    writes = unicodedata.name(word[0], "").startswith(("CYRILLIC", "GREEK"))
    return writes and not _VOWELS & set(word.lower())
