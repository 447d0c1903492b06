"""Which encoding a text file is in: byte order mark, UTF-8, UTF-16, then the legacy ones."""

import codecs

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
]
_FALLBACK = "cp1252"
_TEXT_CONTROLS = frozenset(b"\t\n\v\f\r\x1b\x1a")
_MAX_CONTROLS = 0.01  # of a text's bytes; noise has 0.1
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
    guesses = from_bytes(sample[: SAMPLE_BYTES // 4], cp_isolation=_LEGACY)
    best = min(
        guesses,
        key=lambda guess: (guess.chaos, -guess.coherence, guess.encoding != _FALLBACK),
        default=None,
    )
    return best.encoding if best is not None else _FALLBACK
