"""In which readings a question is answered: one over all lines, or one over each file.

A plan is a generator: it yields what is to be told of the next reading, and goes on when that is
over. So it decides by what was told, and takes no part in the stream itself.
"""

from collections.abc import Iterator, Sequence

from xnai.answering.events import Outcome, Token
from xnai.answering.evidence import NOT_FOUND
from xnai.answering.reading.asking import cited
from xnai.answering.reading.files import Over, by_file, leaves_out
from xnai.answering.reading.length import UNBOUNDED, Bounds
from xnai.answering.reading.lines import Sheet
from xnai.answering.reading.proof import Proof
from xnai.answering.reading.telling import Telling
from xnai.locale import IN_ENGLISH, Texts
from xnai.types import Citation


class Told:
    """What was told over all readings of a question; ``holds``: nothing is shown before its end.

    Args:
        texts: what the program says, in the language of the question.

    """

    def __init__(self, texts: Texts = IN_ENGLISH) -> None:
        self.texts = texts
        self.outcome: Outcome = "not_found"
        self.citations: list[Citation] = []
        self.holds = False
        self._held: list[str] = []
        self._ready: list[Token] = []

    def hold(self, token: Token) -> None:
        """Keep text of a reading until it is over."""
        self._held.append(token.text)

    def held(self) -> str:
        """Take the text that was kept."""
        text, self._held = "".join(self._held), []
        return text

    def say(self, tokens: Sequence[Token]) -> None:
        """Have something shown as soon as the plan gives way."""
        self._ready += tokens

    def drain(self) -> list[Token]:
        """Take what is to be shown now."""
        ready, self._ready = self._ready, []
        return ready


def plan(
    over: Over, question: str, sheet: Sheet, told: Told, bounds: Bounds = UNBOUNDED
) -> Iterator[Telling]:
    """The readings of a question, see ``asked_over``; each is told within the bounds."""
    readings = over_each if over == "each" else over_all
    return readings(question, sheet, told, bounds)


def few_first(
    question: str, few: Sheet, told: Told, otherwise: Iterator[Telling]
) -> Iterator[Telling]:
    """Read a few lines that are asked for, and go on with other readings if they do not answer.

    They are what the program has worked out, or what a question names: with a whole document before
    it, a small model overlooks them.
    """
    told.holds = True
    telling = Telling(question, few, bounds=Bounds(doubts=False), texts=told.texts)
    yield telling
    text = told.held() + "".join(telling.finish())
    told.holds = False
    if telling.outcome == "answered" and telling.citations:
        told.say([Token(text, citations=tuple(telling.citations))])
        told.outcome, told.citations = "answered", list(telling.citations)
    else:
        yield from otherwise


def nothing(told: Told) -> Iterator[Telling]:
    """No reading at all, for what is asked for is certainly not there."""
    told.say([Token(told.texts.say(NOT_FOUND))])
    return iter(())


def recited(sheet: Sheet, told: Told) -> Iterator[Telling]:
    """No reading: the lines are what is asked for, each with its citation."""
    proof = Proof(sheet.lines, ("",))
    text = "\n\n".join(f"{line.text} [{proof.cite(line)}]" for line in sheet.lines)
    told.say([Token(text, citations=tuple(proof.citations))])
    told.outcome, told.citations = "answered", list(proof.citations)
    return iter(())


def over_all(
    question: str, sheet: Sheet, told: Told, bounds: Bounds = UNBOUNDED
) -> Iterator[Telling]:
    """Read all lines at once; where many are quoted and no answer comes, read these."""
    telling = Telling(question, sheet, bounds=bounds, texts=told.texts)
    yield telling
    if (less := telling.narrower()) is not None:
        telling = Telling(question, less, bounds=bounds, texts=told.texts)
        yield telling
    told.say(list(cited(telling, telling.finish())))
    told.outcome, told.citations = telling.outcome, list(telling.citations)


def over_each(
    question: str, sheet: Sheet, told: Told, bounds: Bounds = UNBOUNDED
) -> Iterator[Telling]:
    """Read each file by itself, and name those that answer."""
    yield from _one_by_one(question, sheet, told, bounds)
    if told.outcome == "not_found":
        told.say([Token(told.texts.say(NOT_FOUND))])


def over_compared(
    question: str, to_one: str, sheet: Sheet, told: Told, bounds: Bounds
) -> Iterator[Telling]:
    """Read the lines that files have for what is compared; if that decides nothing, each file's.

    Args:
        question: such as "What is the difference in price?".
        to_one: what each file is asked for it: "What is the price?".
        sheet: the lines of all files that answer it.
        told: what becomes of it.
        bounds: of the answer.

    """
    told.holds = True
    telling = Telling(question, sheet, bounds=bounds, texts=told.texts)
    yield telling
    text = told.held() + "".join(telling.finish())
    first = Token(text, citations=tuple(telling.citations))
    outcome, citations = telling.outcome, list(telling.citations)
    if outcome != "answered" or leaves_out(question, text, citations, sheet):
        yield from _one_by_one(to_one, sheet, told, bounds)
    if told.outcome not in {"answered", "chat"}:
        told.drain()
        told.say([first])
        told.outcome, told.citations = outcome, citations


def _one_by_one(question: str, sheet: Sheet, told: Told, bounds: Bounds) -> Iterator[Telling]:
    """Read each file by itself; says nothing where none answers."""
    told.holds = True
    files = by_file(sheet)
    for one in files:
        first = len(told.citations) + 1
        telling = Telling(question, one.sheet, first, bounds, texts=told.texts)
        yield telling
        text = told.held() + "".join(telling.finish())
        if telling.outcome == "chat" and one is files[0]:
            told.say([Token(text)])
            told.outcome = "chat"
            return
        if telling.outcome in {"answered", "quoted"}:
            told.citations += telling.citations
            told.outcome = "answered" if "answered" in {told.outcome, telling.outcome} else "quoted"
            shown = f"{one.name}: {text.strip()}\n\n"
            told.say([Token(shown, citations=tuple(telling.citations))])
