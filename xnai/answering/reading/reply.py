r"""What the model writes, a piece at a time: the source it quotes, then its answer.

::

    SOURCE --a line "Answer:"--> ANSWER --a new turn--> ENDED
       \--neither word--> ANSWER   (small talk, and models that keep no form)
"""

import enum
import re

_SOURCE = re.compile(r"\s*\**(?:Source|Sources|Quelle|Fuente)\**\s*:\**\s*", re.IGNORECASE)
_MARKER = r"\**(?:Answer|Antwort|Réponse|Respuesta)\**\s*:\**[ \t]*"
_ANSWER = re.compile(rf"(?:^|(?<=\n)){_MARKER}", re.IGNORECASE)
# A quoted line may say "Answer:" itself, so within a line it is a marker only where no line of its
# own has it, and then the last.
_INLINE_ANSWER = re.compile(rf"(?<=\s){_MARKER}", re.IGNORECASE)
_NEXT_TURN = re.compile(r"\n[^\S\n]*(?:Question|Source|Sources|Frage)\s*:", re.IGNORECASE)
_LONGEST_MARKER = 24  # characters that may turn out to begin a marker
_LONGEST_FREE = 16  # characters after which it is clear that no source is quoted
STOPS = ("\nQuestion:", "\nSource:")


_NONE = frozenset(
    {"none", "no line", "nothing", "keine", "aucune", "aucun", "ninguna", "ninguno", "なし", "无"}
)


class _Where(enum.Enum):
    BEGINNING = enum.auto()
    SOURCE = enum.auto()
    ANSWER = enum.auto()
    ENDED = enum.auto()


class ModelReply:
    """Splits a reply into its source and its answer while it is written."""

    def __init__(self) -> None:
        self._where = _Where.BEGINNING
        self._held = ""
        self.source = ""
        self.answer = ""

    @property
    def quotes_nothing(self) -> bool:
        """Whether the source is complete and says that there is none."""
        return self._where in {_Where.ANSWER, _Where.ENDED} and is_none(self.source)

    @property
    def quoting(self) -> str:
        """The source as far as it is written."""
        return self._held.strip() if self._where is _Where.SOURCE else self.source

    @property
    def in_answer(self) -> bool:
        """Whether the answer has begun."""
        return self._where is _Where.ANSWER

    def feed(self, text: str) -> str:
        """Take text of the model; give back what of it belongs to the answer."""
        self._held += text
        if self._where is _Where.BEGINNING:
            self._begin(final=False)
        if self._where is _Where.SOURCE:
            self._read_source(final=False)
        return self._give(final=False)

    def finish(self) -> str:
        """Take the end of the reply; give back the rest of the answer."""
        if self._where is _Where.BEGINNING:
            self._begin(final=True)
        if self._where is _Where.SOURCE:
            self._read_source(final=True)
        return self._give(final=True)

    def _begin(self, *, final: bool) -> None:
        if match := _SOURCE.match(self._held):
            self._held = self._held[match.end() :]
            self._where = _Where.SOURCE
        elif match := _ANSWER.match(self._held.lstrip()):
            self._held = self._held.lstrip()[match.end() :]
            self._where = _Where.ANSWER
        elif final or len(self._held.lstrip()) > _LONGEST_FREE:
            self._where = _Where.ANSWER

    def _read_source(self, *, final: bool) -> None:
        match = _ANSWER.search(self._held)
        if match is None and final:
            match = next(reversed([*_INLINE_ANSWER.finditer(self._held)]), None)
        if match:
            self.source = self._held[: match.start()].strip()
            self._held = self._held[match.end() :]
            self._where = _Where.ANSWER
        elif final:
            self.source, self._held = self._held.strip(), ""
            self._where = _Where.ANSWER

    def _give(self, *, final: bool) -> str:
        if self._where is not _Where.ANSWER:
            return ""
        if not self.answer:
            self._held = self._held.lstrip()
        if match := _NEXT_TURN.search(self._held):
            given, self._held = self._held[: match.start()], ""
            self._where = _Where.ENDED
        elif final:
            given, self._held = self._held, ""
        else:
            keep = self._held.rfind("\n", max(0, len(self._held) - _LONGEST_MARKER))
            cut = len(self._held) if keep < 0 else keep
            given, self._held = self._held[:cut], self._held[cut:]
        self.answer += given
        return given


def is_none(source: str) -> bool:
    """Whether a quoted source says that no line answers."""
    return source.strip().strip(".*[]()").casefold() in _NONE
