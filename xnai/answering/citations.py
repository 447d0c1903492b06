"""Which passage stands behind a sentence of an answer.

Small models rarely write ``[1]`` themselves, and when they do they guess. So the marks are set
here: as soon as a sentence of the answer is complete it is compared with the passages, and the
one that shares most of its words is cited. A sentence that no passage supports is marked ``[?]``.
Marks that the model wrote are taken out.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xnai.text.code_spans import CodeSplitter, Kind
from xnai.text.sentences import STOPS, WIDE_STOPS, sentences, with_neighbours
from xnai.types import Citation, Passage

_PIECES = re.compile(rf"(\s|[{WIDE_STOPS}])")
_ENDED = re.compile(rf"[{STOPS}][\"')\]*_]*$")
_ABBREVIATED = re.compile(
    r"(^|[\s(])(\w{1,2}|\w\.\w|etc|fig|prof|vol|mrs|inc|ltd|al)\.$", re.IGNORECASE
)
_WORD = re.compile(r"\w+", re.UNICODE)
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
UNSUPPORTED = "[?]"
_MARK = re.compile(r"\s?\[(?:\d{1,2}|\?)\]")
_OPEN_MARK = re.compile(r"\s?\[(?:\d{0,2}|\?)$|\s$")
# "The documents do not say.": what is not there cannot be cited.
_REFUSAL = re.compile(
    r"\b(?:not|n't|no|nothing|unable|cannot|never)\b[^.]{0,60}?\b(?:say|state|mention|specif\w+|"
    r"provide\w*|contain\w*|hold|include\w*|information|answer\w*|know\w*|found|find|determine|"
    r"documents?)\b",
    re.IGNORECASE,
)
_COMMON = frozenset(
    """a an and are as at be by can could did do does for from had has have he her his i if in is it
    its me my not of on or our she so than that the their them there they this to was we were what
    when which who will with would you your""".split()  # noqa: SIM905 - a list of words reads best
)
_SUPPORT = 0.5  # share of a sentence's words that a passage must hold to be cited for it
_MIN_WORDS = 2
_TAIL = 100  # characters


def words_of(text: str) -> frozenset[str]:
    """Content words, folded; scripts without spaces give pairs of characters."""
    words: set[str] = set()
    for word in _WORD.findall(text.casefold()):
        if _CJK.search(word):
            words.update(word[i : i + 2] for i in range(max(1, len(word) - 1)))
        elif word not in _COMMON:
            words.add(word)
    return frozenset(words)


@dataclass(frozen=True, slots=True)
class _Quote:
    support: float
    start: int
    end: int


class Citer:
    """Sets citation marks into a streamed answer, one sentence at a time.

    With ``marks`` false the text stays as it is, for an answer bound to a form, and its sentences
    are only looked up.
    """

    def __init__(self, passages: Sequence[Passage], *, marks: bool = True) -> None:
        self._passages = tuple(passages)
        self._marks = marks
        self._words = [words_of(passage.text) for passage in self._passages]
        self._quotes: dict[int, _Quote] = {}
        self._sentence: list[str] = []  # of the one that is not complete yet, what was given out
        self._tail = ""  # its last characters
        self._held = ""  # of the model's text, what may turn out to be a mark
        self._bound: list[str] = []  # the text that gets no marks
        self._split = CodeSplitter()

    def feed(self, text: str) -> str:
        """Take text from the model, give back what may be shown, marks included."""
        if not self._passages:
            return text
        if not self._marks:
            self._bound.append(text)
            return text
        return self._pieces(self._split.feed(text))

    def finish(self) -> str:
        """Give back the rest, after the last text of the model."""
        if not self._passages:
            return ""
        rest = self._pieces(self._split.finish())
        held, self._held = f"{self._held}{''.join(self._bound)}".rstrip(), ""
        rest += self._mark(held) + self._cite()
        return rest if self._marks else ""

    @property
    def citations(self) -> tuple[Citation, ...]:
        """What was cited, by number."""
        return tuple(
            cite(index, self._passages[index - 1], quote.start, quote.end)
            for index, quote in sorted(self._quotes.items())
        )

    def _prose(self, text: str) -> str:
        text = _MARK.sub("", self._held + text)
        cut = _OPEN_MARK.search(text)
        text, self._held = (text[: cut.start()], text[cut.start() :]) if cut else (text, "")
        return self._mark(text)

    def _pieces(self, pieces: Iterable[tuple[Kind, str]]) -> str:
        """Set marks into text; code stays as it is, for grid[0][1] holds none."""
        out: list[str] = []
        for kind, piece in pieces:
            if kind is Kind.TEXT:
                out.append(self._prose(piece))
                continue
            held, self._held = self._held, ""
            out += self._mark(held), piece
            if kind is Kind.SPAN:
                self._sentence += piece
        return "".join(out)

    def _mark(self, text: str) -> str:
        out: list[str] = []
        for piece in _PIECES.split(text):
            if piece and piece in WIDE_STOPS:
                self._add(piece)
                out += [piece, self._cite()]
            elif piece.isspace() and self._is_complete(piece):
                out += [self._cite(), piece]
            else:
                self._add(piece)
                out.append(piece)
        return "".join(out)

    def _add(self, piece: str) -> None:
        self._sentence.append(piece)
        self._tail = (self._tail + piece[-_TAIL:])[-_TAIL:]

    def _is_complete(self, space: str) -> bool:
        if space == "\n":
            return True
        # Of its end alone: the whole would be read again at every blank.
        return bool(_ENDED.search(self._tail)) and not _ABBREVIATED.search(self._tail)

    def _cite(self) -> str:
        sentence = "".join(self._sentence)
        self._sentence, self._tail = [], ""
        best = self._best_passage(words_of(sentence))
        if best is None:
            return f" {UNSUPPORTED}" if _is_claim(sentence) else ""
        index, support = best
        quote = self._best_quote(index, words_of(sentence), support)
        if index not in self._quotes or quote.support > self._quotes[index].support:
            self._quotes[index] = quote
        return f" [{index}]"

    def _best_passage(self, words: frozenset[str]) -> tuple[int, float] | None:
        if not words:
            return None
        # A single word is cited only where it stands as it is.
        needed = _SUPPORT if len(words) >= _MIN_WORDS else 1.0
        # A figure that a passage does not have is what a model invents most easily.
        figures = {word for word in words if any(c.isdigit() for c in word)}
        shares = [len(words & own) / len(words) if figures <= own else 0.0 for own in self._words]
        best = max(range(len(shares)), key=lambda i: (shares[i], -i))
        return (best + 1, shares[best]) if shares[best] >= needed else None

    def _best_quote(self, index: int, words: frozenset[str], support: float) -> _Quote:
        passage = self._passages[index - 1]
        text = passage.text
        start, end = max(
            sentences(text) or [(0, len(text))],
            # Of two that say the same, the one that answers the question.
            key=lambda span: (
                len(words & words_of(text[span[0] : span[1]])),
                span == passage.evidence,
            ),
        )
        return _Quote(support, start, end)


def is_refusal(text: str) -> bool:
    """Whether an answer says in its first sentence that it does not know, or says nothing."""
    first = text.strip()[:300].partition(". ")[0]
    return not first or bool(_REFUSAL.search(first))


def _is_claim(sentence: str) -> bool:
    """Whether a sentence says something that a passage could support."""
    says = len(words_of(sentence)) >= _MIN_WORDS
    return says and not sentence.rstrip().endswith(":") and not is_refusal(sentence)


def cite(index: int, passage: Passage, start: int, end: int) -> Citation:
    """Build the citation of ``passage.text[start:end]``."""
    return Citation(
        index=index,
        document_id=passage.document_id,
        file_name=passage.file_name,
        page=passage.page,
        start=passage.start + start,
        end=passage.start + end,
        quote=passage.text[start:end],
        score=passage.score,
    )


def best_sentence(question: str, passage: Passage) -> tuple[int, int]:
    """Span of the evidence of a passage, else of the sentence nearest to the question's words."""
    if passage.evidence:
        return with_neighbours(passage.text, passage.evidence)
    words = words_of(question)
    spans = sentences(passage.text) or [(0, len(passage.text))]
    return max(spans, key=lambda s: len(words & words_of(passage.text[s[0] : s[1]])))
