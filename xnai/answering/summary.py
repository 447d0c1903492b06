"""What became of one question, gathered from its events for the audit log."""

from dataclasses import dataclass, field

from xnai.answering.events import Degraded, Done, Event, Reduced, Retrieved, Token
from xnai.errors import INTERNAL, XnaiError
from xnai.types import Usage


@dataclass(slots=True)
class Account:
    """Of a stream that answers no question (it only reads files) ``question`` is empty.

    Attributes:
        error: code of what went wrong.
        keeps_text: whether the answer is gathered.

    """

    question: str = ""
    error: str = ""
    keeps_text: bool = False
    _degraded: str = ""
    _reduced: list[str] = field(default_factory=list)
    _documents: dict[str, str] = field(default_factory=dict)  # names by ids
    _cited: dict[str, str] = field(default_factory=dict)
    _found: bool | None = None
    _usage: Usage | None = None
    _text: list[str] = field(default_factory=list)

    @property
    def is_degraded(self) -> bool:
        """Whether the answer was less than a full one."""
        return bool(self._degraded)

    def see(self, event: Event) -> None:
        """Follow the events of the answer."""
        match event:
            case Retrieved():
                self._documents |= {p.document_id: p.file_name for p in event.passages}
            case Reduced():
                self._reduced.append(event.rung)
            case Degraded():
                self._degraded, self.error = event.rung, event.reason.code
            case Token() if self.keeps_text:
                self._text.append(event.text)
            case Done():
                self._cited |= {c.document_id: c.file_name for c in event.citations}
                self._usage, self._found = event.usage, event.found

    def fail(self, exc: BaseException) -> None:
        """Note what ended the answer."""
        if isinstance(exc, XnaiError):
            self.error = exc.code
        elif isinstance(exc, Exception):
            self.error = self.error or INTERNAL.code

    def fields(self) -> dict[str, object]:
        """What the audit log says of it; questions, answers and names only if text is kept."""
        usage = self._usage
        line: dict[str, object] = {
            "error": self.error or None,
            "degraded": self._degraded or None,
            "reduced": self._reduced,
            "documents": list(self._documents),
            "cited": list(self._cited),
            "found": self._found,
            "prompt_tokens": usage.prompt_tokens if usage else None,
            "completion_tokens": usage.completion_tokens if usage else None,
        }
        if self.keeps_text:
            line |= {
                "question": self.question,
                "answer": "".join(self._text),
                "file_names": self._documents | self._cited,
            }
        return line
