r"""Links broken while an answer streams, and its code left as it is.

What was shown cannot be taken back, so code is shown as code only where the page is certain to see
it so as well; the whole answer is gone through once more at its end (``whole_answer``)::

    TEXT --a fence at the margin--> FENCE --its end--> TEXT
    TEXT --a fence in a list or quote--> INSIDE --the fence or its list ends--> TEXT
    any --what a parser might read otherwise--> UNSURE, to the end of the answer

In TEXT, code within a line is held back until it ends. In INSIDE, lines are shown when they are
whole; a parser of Markdown says of each whether it is code.
"""

import enum
import re

from markdown_it.token import Token

from xnai.ui.links import JOINER, break_links
from xnai.ui.whole_answer import BELOW_HEAD, BLANKS, BLOCKS, is_below_head

_BEHIND = 48  # characters; more than the longest pattern of a link: www as three references
_HELD = 400  # characters of code within a line that are held back
_REGION = 4000  # characters that are parsed for a fence in a list or quote
_PARSED = 300  # times in one answer
_BLANK = " \t"
_INDENTED = 4  # blanks; a line with as many ends no block of code
_TICKS = re.compile(r"`+")
_AT_MARGIN = re.compile(r"(`{3,}+)[^`]*+|(~{3,}+).*+")
_MAY_OPEN = re.compile(r"[ \t>*+\-\d.)]*+(?:```|~~~)")
_ODD = re.compile("[\r\0\ufeff]")  # line ends, and characters that not every reader passes over


class _State(enum.Enum):
    TEXT = enum.auto()
    FENCE = enum.auto()
    INSIDE = enum.auto()
    UNSURE = enum.auto()


class LinkBreaker:
    """Breaks the links of streamed Markdown; ``finish`` returns what ``feed`` has held back."""

    def __init__(self) -> None:
        self._state = _State.TEXT
        self._fence = ""
        self._last = ""  # of the text shown, a possible beginning of a link
        self._line = ""  # the part of the line that was shown
        self._held = ""  # the part that was not
        self._new_group()
        self._after_blank = True
        self._region = ""  # the lines shown that a list or quote may reach over
        self._parsed = 0
        self._has_begun = False

    def feed(self, text: str) -> str:
        """Return what can be shown by now, with links broken, however the stream is cut."""
        if not self._has_begun:  # the page strips these, and would read what follows otherwise
            text = text.lstrip(BLANKS)
            self._has_begun = bool(text)
        shown: list[str] = []
        if _ODD.search(text):
            self._state = _State.UNSURE
            shown.append(self.finish())
        first, *others = text.split("\n")
        shown.append(self._part(first))
        for line in others:
            shown += self._end_line(), self._part(line)
        return "".join(shown)

    def finish(self) -> str:
        """Return the rest."""
        held, self._held = self._held, ""
        return self._text(held)

    def _part(self, text: str) -> str:
        """Return what can be shown of a line that may go on."""
        match self._state:
            case _State.UNSURE:
                return self._text(text)
            case _State.FENCE:
                self._line += text
                return text
            case _State.INSIDE:
                self._held += text
                return ""
            case _State.TEXT:
                self._held += text
                may_make_table = self._has_bars and not self._line
                if may_make_table and BELOW_HEAD.fullmatch(self._held):
                    return ""
                return self._spans(ended=False)

    def _end_line(self) -> str:
        match self._state:
            case _State.UNSURE:
                shown = ""
            case _State.FENCE:
                shown = ""
                if self._ends_fence():
                    self._enter(_State.TEXT)
            case _State.INSIDE:
                shown = self._end_line_inside()
            case _State.TEXT:
                shown = self._end_line_of_text()
        self._line = self._last = ""
        return f"{shown}\n"

    def _end_line_of_text(self) -> str:
        if fence := _AT_MARGIN.fullmatch(self._line + self._held):
            self._enter(_State.FENCE, fence[1] or fence[2])
            return self.finish()
        shown = self._spans(ended=True)
        is_blank = not self._line.strip(_BLANK)
        if is_blank:
            self._new_group()
        elif is_below_head(self._line):
            self._has_table = True
            if self._has_bars:
                shown += self._code(JOINER)
        elif self._after_blank and self._line[0] not in _BLANK:
            self._region = ""  # lists and quotes have ended
        self._after_blank = is_blank
        self._keep(self._line)
        if _MAY_OPEN.match(self._line):
            self._look_for_fence()
        return shown

    def _look_for_fence(self) -> None:
        fence = self._open_fence(self._region)
        if fence is not None and self._state is _State.TEXT:
            self._new_group()
            self._state = _State.INSIDE if fence.level else _State.FENCE
            self._fence = fence.markup

    def _end_line_inside(self) -> str:
        line, self._held = self._held, ""
        if not line.strip(_BLANK):
            self._keep(line)
            return line
        before = self._region.count("\n")
        fence = self._last_fence(f"{self._region}{line}\n")
        if self._state is _State.UNSURE:
            return self._text(line)
        if fence is not None and fence.map is not None and fence.map[1] > before:
            self._keep(line)
            if not _is_open(fence):
                self._state = _State.TEXT
            return line
        self._state, self._held = _State.TEXT, line
        return self._end_line_of_text()

    def _enter(self, state: _State, fence: str = "") -> None:
        self._state, self._fence = state, fence
        self._new_group()
        self._after_blank = False
        self._region = ""

    def _new_group(self) -> None:
        """Begin with lines that a blank one, or code, parts from those before."""
        self._spans_are_sure = True
        self._has_bars = False  # code with a bar was shown, so no line may make a table of its line
        self._has_table = False

    def _ends_fence(self) -> bool:
        inner = self._line.lstrip(" ")
        run = inner.rstrip(_BLANK)
        is_near = len(self._line) - len(inner) < _INDENTED
        return is_near and len(run) >= len(self._fence) and not run.strip(self._fence[0])

    def _keep(self, line: str) -> None:
        if len(self._region) <= _REGION:
            self._region += f"{line}\n"

    def _open_fence(self, text: str) -> Token | None:
        fence = self._last_fence(text)
        is_last = fence and fence.map and fence.map[1] >= text.count("\n")
        return fence if fence and is_last and _is_open(fence) else None

    def _last_fence(self, text: str) -> Token | None:
        """Parse for the last block of code; too much work makes the rest of the answer unsure."""
        self._parsed += 1
        if self._parsed > _PARSED or len(text) > _REGION:
            self._state = _State.UNSURE
            return None
        tokens: list[Token] = []
        BLOCKS.block.parse(text, BLOCKS, {}, tokens)
        return next((token for token in reversed(tokens) if token.type == "fence"), None)

    def _spans(self, *, ended: bool) -> str:
        """Return what can be shown of a line of text: all but code that has not ended."""
        line, self._held = self._held, ""
        shown: list[str] = []
        at = 0
        while self._spans_are_sure and (run := _TICKS.search(line, at)):
            shown.append(self._text(line[at : run.start()]))
            at = run.start()
            end = None if run.end() == len(line) else _end_of_span(line, run, ended=ended)
            if self._line.endswith("\\"):
                self._spans_are_sure = False
            elif end is not None:
                # A bar ends the cell of a table, and the code with it.
                has_bar = "|" in line[at:end]
                self._has_bars = self._has_bars or has_bar
                self._spans_are_sure = not (has_bar and self._has_table)
                if self._spans_are_sure:
                    shown.append(self._code(line[at:end]))
                    at = end
            elif ended or len(line) - at > _HELD:
                self._spans_are_sure = False
            else:
                self._held = line[at:]
                return "".join(shown)
        shown.append(self._text(line[at:]))
        return "".join(shown)

    def _code(self, code: str) -> str:
        self._line += code
        self._last = ""
        return code

    def _text(self, text: str) -> str:
        before = len(break_links(self._last))
        shown = break_links(self._last + text)[before:]
        self._last = (self._last + text)[-_BEHIND:]
        self._line += shown
        return shown


def _is_open(fence: Token) -> bool:
    start, end = fence.map or (0, 0)
    return fence.content.count("\n") == end - start - 1


def _end_of_span(line: str, opening: re.Match[str], *, ended: bool) -> int | None:
    """Return where a span of code ends; None if it has not, or may go on with the next piece."""
    size = len(opening[0])
    for run in _TICKS.finditer(line, opening.end()):
        if len(run[0]) == size and (ended or run.end() < len(line)):
            return run.end()
    return None
