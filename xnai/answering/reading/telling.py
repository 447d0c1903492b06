"""How a reply becomes what is shown: its sentences one after the other, each with its proof.

::

    reading the source --none--> not_found
            |
        the answer begins
            |-- no source quoted ------------> chat (nothing of the documents is said)
            |-- first sentence proven -------> answered
            `-- not proven, or doubtful -----> quoted (the lines themselves, and no statement)

A sentence is held until it is complete. An answer that begins with yes or no is held whole, for a
second look may turn it round.
"""

import re
from collections.abc import Iterator, Sequence

from xnai.answering import small_talk
from xnai.answering.events import Outcome
from xnai.answering.evidence import HEDGE, NOT_FOUND
from xnai.answering.reading import once_more, refusal, second_look, second_opinion
from xnai.answering.reading.doubt import Doubt
from xnai.answering.reading.exact import as_known
from xnai.answering.reading.length import UNBOUNDED, Bounds
from xnai.answering.reading.lines import NumberedLine, Sheet, carrying, of_lines, quoted_lines
from xnai.answering.reading.listing import as_counted, counted_lines
from xnai.answering.reading.pieces import CodeBlock, end_of_first, is_fence
from xnai.answering.reading.proof import Proof, figures_of
from xnai.answering.reading.reply import ModelReply
from xnai.answering.reading.structure import with_place
from xnai.answering.reading.sums import terms, worked_out
from xnai.answering.tables.intent import asks_for_calculation
from xnai.locale import IN_ENGLISH, Texts
from xnai.types import Citation, TokenLogprob

_UNQUOTED_SHARE = 0.5  # of a sentence's words that lines must have which the model has not named
_LONGEST_SOURCE = 1200  # characters that are quoted before an answer
_LINES_AGAIN = 16  # of them that the model is asked again of
SHOWN = 3  # lines that are quoted in place of an answer
_UNPROVEN = " [?]"
_LONG_SUM = 4  # terms
# The numbers of lines, as a model may repeat them in an answer.
_MARK = re.compile(r"[ \t]?(?<![\w\])])\[\d{1,5}(?:[,;\-\u2013] ?\d{1,5}){0,40}\]")


class Telling:
    """One answer while it is told.

    Args:
        question: what was asked.
        sheet: the lines that the model has.
        first: the number of its first citation.
        bounds: how long it may be, and whether a doubt that there is a source makes it a quotation.
        texts: what the program says, in the language of the question.

    """

    def __init__(
        self,
        question: str,
        sheet: Sheet,
        first: int = 1,
        bounds: Bounds = UNBOUNDED,
        *,
        texts: Texts = IN_ENGLISH,
    ) -> None:
        self.question = question
        self._texts = texts
        self._first = first
        self._bounds = bounds
        self._characters = 0  # that are shown
        self.sheet = sheet
        self._reply = ModelReply()
        self._proof: Proof | None = None
        self._held = ""
        self._shown = 0  # sentences
        self.doubt = Doubt()
        self._results: Sequence[NumberedLine] = ()  # of the program's, that it quotes
        self._is_sure = False  # whether it quotes what the program has worked out
        self._closest: Sequence[NumberedLine] = ()  # lines that a second look has taken besides
        self._is_corrected = False  # whether they decided it
        self.nearer: Sheet | None = None  # lines to be read instead, if it has gone astray
        self._code = CodeBlock()
        self.quoted: tuple[NumberedLine, ...] = ()
        self.outcome: Outcome = "answered"

    @property
    def citations(self) -> Sequence[Citation]:
        """What the sentences cite, by number."""
        return self._proof.citations if self._proof and self.outcome != "not_found" else ()

    @property
    def is_refused(self) -> bool:
        """Whether the model has said that no line answers; what it adds is not needed."""
        missing = self._reply.quotes_nothing and not self._bounds.always
        return missing and bool(self._reply.source)

    @property
    def is_full(self) -> bool:
        """Whether as many sentences were told as may be."""
        return self._bounds.are_reached(self._shown, self._characters)

    @property
    def quotes_too_much(self) -> bool:
        """Whether the model goes on quoting and comes to no answer."""
        return not self._reply.in_answer and len(self._reply.quoting) > _LONGEST_SOURCE

    def narrower(self) -> Sheet | None:
        """End the reply; return the lines to be asked again: nearer ones, or those it only quoted.

        They are fewer than those of the sheet, else nothing would be won. None if there are none.
        """
        if self.nearer is not None:
            return self.nearer
        self._held += self._reply.finish()
        if self._shown or self._held.strip() or self.is_refused:
            return None
        lines = quoted_lines(self._reply.quoting, self.sheet)[:_LINES_AGAIN]
        return of_lines(lines) if 0 < len(lines) < len(self.sheet.lines) else None

    def looked_at_again(self, nearest: Sequence[NumberedLine] = ()) -> Sequence[NumberedLine]:
        """The lines from which a yes or no is asked a second time; none if it is not.

        They are those that the model has quoted and those that have the question's words, if they
        have more of them, or are nearest to it; in place of a refusal without the former.
        """
        if self._shown:
            return ()
        if self.is_refused:
            closest = second_opinion.in_place_of_refusal(self.question, self.sheet)
            self._closest = closest or nearest
            return self._closest
        if not self.quoted or second_look.said(self._held) is None:
            return ()
        if len(second_opinion.decided_by(self.quoted)) > 1:
            self._closest = self.quoted  # each file's line is told
            return self._closest
        closest = second_opinion.besides(self.question, self.sheet, self.quoted)
        self._closest = closest or (() if set(nearest) & set(self.quoted) else nearest)
        return (*self._closest, *self.quoted)

    def correct(self, yes: float | None) -> None:
        """Take the result of the second look; where other lines decide, they are what is told."""
        if not self._closest:
            self._held = second_look.corrected(self._held, yes, self.question)
        elif yes is not None and second_look.is_sure(yes, second_look.said(self._held)):
            self._proof = None
            self._begin(lines := second_opinion.decided_by(self._closest))
            self._is_sure = self._is_corrected = True
            self._held = second_opinion.told(self.question, yes, lines)

    def reconsider(self, answer: str) -> None:
        """Take what the model says when it has looked again, if a line has it."""
        line = once_more.carried_by(answer, self.question, self.sheet)
        if line is not None:
            self._proof = None
            self._begin((line,))
            self._is_sure = self._is_corrected = True
            self._held = answer

    def feed(self, text: str, logprobs: Sequence[TokenLogprob] = ()) -> Iterator[str]:
        """Take text of the model; give what may be shown."""
        self.doubt.heard(logprobs)
        self._held += self._reply.feed(text)
        if not self._reply.in_answer or self.is_refused:
            return
        self._begin()
        is_held = self.quoted and second_look.said(self._held) is not None
        if not self._shown and (is_held or refusal.is_copied(self._held)):
            return
        for sentence in self._pieces(final=False):
            yield from self._show(sentence)

    def finish(self) -> Iterator[str]:
        """Give the rest, or what is said in place of an answer."""
        if not self._is_corrected:
            self._held += self._reply.finish()
        self._begin()
        answer = self._held.strip()
        refused = self.is_refused and not self._is_corrected
        if not self._shown and (refused or refusal.refuses(answer) or not answer):
            self._held, reply = "", small_talk.reply_to(self.question)
            self.outcome = "chat" if reply else "not_found"
            yield self._texts.say(reply or NOT_FOUND)
            return
        for sentence in self._pieces(final=True):
            yield from self._show(sentence)

    def _begin(self, named: Sequence[NumberedLine] | None = None) -> None:
        """Look up the quoted lines, once the source is whole."""
        if self._proof is not None:
            return
        named = quoted_lines(self._reply.source, self.sheet) if named is None else named
        # What the program has worked out is there, however much the model wavered before it.
        self._results = [line for line in named if line.stands_on]
        self._is_sure = bool(self._results)
        self.quoted = tuple(carrying(named, self.sheet))
        known = [self.question, self.sheet.headers]
        known += [line.text for line in self.sheet.lines if line.stands_on]
        lines, first = self.sheet.lines, self._first
        if self.quoted:
            self._proof = Proof(self.quoted, known, first=first, others=lines)
            return
        known.append(self.sheet.told)  # the names of files and the numbers of pages too
        self._proof = Proof(lines, known, least=_UNQUOTED_SHARE, first=first)

    def _pieces(self, *, final: bool) -> Iterator[str]:
        """Take the complete sentences out of what is held."""
        while (end := end_of_first(self._held, final=final)) is not None:
            sentence, self._held = self._held[:end], self._held[end:]
            yield sentence

    def _show(self, sentence: str) -> Iterator[str]:
        """Show a sentence with its marks; the first may turn out to be no answer."""
        assert self._proof is not None
        body, space = (trimmed := sentence.rstrip()), sentence[len(trimmed) :]
        # The numbers of lines that a model adds are none of the citations that a reader sees.
        body, computed = worked_out(_MARK.sub("", body))
        if not self._shown:
            body, counted = as_counted(body, self.question, self.quoted, self.sheet)
            computed |= counted or counted_lines(self.question, self.quoted)
        if self.outcome in {"quoted", "not_found"} or self.is_full:
            return
        if self._code.is_open or (is_fence(sentence) and (self._shown or not self.quoted)):
            yield sentence + self._of_code(sentence)
            return
        if not self.quoted:
            yield self._unquoted(body) + space
            return
        if not self._shown:
            asked, results = self.question, self._results
            body, computed = as_known(body, asked, self.quoted, results, computed)
        proven = self._proof.prove(body, computed)
        if not self._shown:
            if self._is_rejected(body, proven=bool(proven.marks)):
                yield from self._instead()
                return
            body = with_place(self.question, body, proven.lines[0])
        self._shown += 1
        self._characters += len(body)
        # What is corrected is made of these lines.
        own = [self._proof.cite(line) for line in self.quoted] if self._is_corrected else ()
        marks = "".join(f" [{number}]" for number in own or proven.marks) or _UNPROVEN
        yield f"{body}{marks}{space}" if body else space

    def _is_rejected(self, first: str, *, proven: bool) -> bool:
        """Whether the first sentence is not told; notes what becomes of the answer then."""
        doubts = self._bounds.doubts and not self._is_sure
        if doubts and self.doubt.is_missing:
            self.outcome = "not_found"
            return True
        # A small model adds up a column where one figure of it is asked for.
        unasked = terms(first) >= _LONG_SUM and not asks_for_calculation(self.question)
        doubted = (doubts and self.doubt.is_strong) or unasked
        if proven and not doubted and not is_fence(first):
            return False
        self.outcome = "quoted"
        return True

    def _instead(self) -> Iterator[str]:
        """What is told in place of a first sentence."""
        if self.outcome == "not_found":
            yield self._texts.say(NOT_FOUND)
        else:
            yield from self._quote()

    def _of_code(self, line: str) -> str:
        """Return the marks of a block of code behind its last line; inside, they would be code."""
        assert self._proof is not None
        self.outcome = self.outcome if self._shown else "chat"
        self._shown += 1
        if not (code := self._code.add(line)):
            return ""
        marks = "".join(f" [{number}]" for number in self._proof.prove(code).marks)
        said = marks or (_UNPROVEN if self.quoted else "")
        return f"\n{said.strip()}\n\n" if said else ""

    def _unquoted(self, sentence: str) -> str:
        """A sentence of a model that has named no source, with the lines that carry it.

        Small talk needs none; a figure does.
        """
        assert self._proof is not None
        marks = (proven := self._proof.prove(sentence)).marks
        if marks and not self._shown and self._bounds.doubts and self.doubt.is_strong:
            self.outcome, self.quoted = "quoted", proven.lines
            return "".join(self._quote())
        if not self._shown or marks:
            self.outcome = "answered" if marks else "chat"
        self._shown += 1
        shown = "".join(f" [{number}]" for number in marks)
        return f"{sentence}{shown or (_UNPROVEN if figures_of(sentence) else '')}"

    def _quote(self) -> Iterator[str]:
        """Show the quoted lines in place of an answer that nothing proves."""
        assert self._proof is not None
        self._held, cite = "", self._proof.cite
        quotes = [f"> {line.text} [{cite(line)}]" for line in self.quoted[:SHOWN]]
        yield "\n\n".join([self._texts.say(HEDGE), *quotes])
