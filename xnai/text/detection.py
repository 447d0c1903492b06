"""The language of a question, of which there is little: its script, then its small words.

Questions are full of the words that languages differ in: who, when, the, of. Each votes for the
languages that have it, the more the fewer these are, and letters that few alphabets have vote too.
What is too short or too even to tell is said to be so, and not guessed.
"""

import functools
import re
from pathlib import Path

from xnai.text.english import shortened

OTHER = "und"  # a language, but none of ours; the code of ISO 639 for "undetermined"
KNOWN = ("en", "de", "fr", "es", "ja", "zh", "ar")
_LEAST = 0.8  # votes of the language that has the most
_LEAD = 1.25  # times the votes of the second
_MOST_WORDS = 200
_SHARE = 0.3  # of the letters that are of a script, where the script decides
_BARE_HAN = 8  # signs; a Japanese question without kana has no more
_WORDS = Path(__file__).with_name("function_words.txt")
_WORD = re.compile(r"[^\W\d_]+['\u2019]?")  # with the sign of an elided letter: "l'an"
_KANA = re.compile(r"[\u3041-\u30ff\uff66-\uff9f]")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_ARABIC = re.compile(r"[\u0620-\u064a\u066e-\u06d3\ufb50-\ufdff\ufe70-\ufefc]")
# Letters of Persian, Urdu and others that Arabic does not have.
_BESIDE_ARABIC = re.compile(r"[\u0679-\u06b9\u06ba-\u06c2\u06c4-\u06d3]")
_LATIN = re.compile(r"[A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff]")
_LETTERS = (
    ("ß", "de", 1.0),
    ("äöü", "de", 0.3),
    ("ñ¿¡", "es", 1.0),
    ("áíóú", "es", 0.3),
    ("œ", "fr", 1.0),
    ("àçèêëîïôùûæ", "fr", 0.4),
    ("é", "fr", 0.2),
    ("é", "es", 0.1),
    ("ãõ", "pt", 1.0),
    ("åø", "da", 1.0),
    ("ąćęłńśźż", "pl", 1.0),
    ("ěřůčďťň", "cs", 1.0),
    ("ăâțșţş", "ro", 0.6),
    ("ğışç", "tr", 0.5),
    ("őű", "hu", 1.0),
    ("ìòà", "it", 0.4),
    ("ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ", "vi", 0.7),
)


def detect(text: str, reader: str = "") -> str | None:
    """Tell the language of a question.

    Args:
        text: the question.
        reader: the language of whoever asks, where known; it tells the few signs that two share.

    Returns:
        A code of ``KNOWN``, ``OTHER`` for what is clearly none of these, or None in doubt.

    """
    text = shortened(text)
    letters = sum(map(str.isalpha, text))
    if not letters:
        return None
    latin = len(_LATIN.findall(text))
    kana, han, arabic = (len(one.findall(text)) for one in (_KANA, _HAN, _ARABIC))
    if kana + han >= _SHARE * letters:
        is_japanese = kana or (reader == "ja" and han <= _BARE_HAN)
        return "ja" if is_japanese else "zh"
    if arabic >= _SHARE * letters:
        return OTHER if _BESIDE_ARABIC.search(text) else "ar"
    if letters - latin - kana - han - arabic >= _SHARE * letters:
        return OTHER
    return _of_latin(text)


def small_words(text: str) -> frozenset[str]:
    """Return the words of a question that say nothing by themselves in its language, folded."""
    language, languages = detect(text), _languages()
    words = _WORD.findall(shortened(text).casefold())[:_MOST_WORDS]
    return frozenset(word for word in words if language in languages.get(word, ()))


def _of_latin(text: str) -> str | None:
    votes = _votes(text)
    most, second, *_ = sorted((votes[language], language) for language in KNOWN)[::-1]
    others = max(votes[language] for language in votes.keys() - {*KNOWN})
    if others >= max(_LEAST, _LEAD * most[0]):
        return OTHER
    return most[1] if most[0] >= max(_LEAST, _LEAD * second[0], _LEAD * others) else None


def _votes(text: str) -> dict[str, float]:
    languages = _languages()
    votes = dict.fromkeys((*KNOWN, *(language for _, language, _ in _LETTERS)), 0.0)
    for word in _WORD.findall(text.casefold())[:_MOST_WORDS]:
        bare = word.rstrip("'\u2019")
        having = languages.get(f"{bare}'" if word != bare else bare) or languages.get(bare, ())
        for language in having:
            votes[language] = votes.get(language, 0.0) + 1 / len(having)
    present = set(text.casefold())
    for letters, language, weight in _LETTERS:
        votes[language] += weight * len(present.intersection(letters))
    return votes


@functools.cache
def _languages() -> dict[str, tuple[str, ...]]:
    """The languages that have each of the small words."""
    found: dict[str, dict[str, None]] = {}
    for line in _WORDS.read_text(encoding="utf-8").splitlines():
        language, *words = line.split()
        for word in words:
            found.setdefault(word.casefold(), {})[language] = None
    return {word: tuple(having) for word, having in found.items()}
