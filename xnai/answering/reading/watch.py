"""What is done with each event of a model's stream: counted, checked, shown or held."""

from collections.abc import Iterator

from xnai.answering.events import Event, Reading, Token, Waiting
from xnai.answering.reading.asking import Asking, cited
from xnai.answering.reading.plans import Told
from xnai.answering.reading.telling import Telling
from xnai.llm.protocol import (
    CompletionEvent,
    Finished,
    HiddenState,
    Prefill,
    Queued,
    TokenText,
)


class StreamWatch:
    """Watches the stream of one reading.

    Args:
        asking: what asked it.
        told: where text goes that is held until the reading is over.
        telling: what its text becomes.
        tokens: of its prompt.
        checks: whether the line that it quotes is compared with the question.

    """

    def __init__(
        self, asking: Asking, told: Told, telling: Telling, tokens: int, *, checks: bool
    ) -> None:
        self._asking = asking
        self._told = told
        self._telling = telling
        self._tokens = tokens
        self._checks = checks

    async def see(self, event: CompletionEvent) -> tuple[list[Event], bool]:
        """Take an event; return what is shown now, and whether no more is wanted.

        Raises:
            XnaiError: ANSWER_TIMEOUT.

        """
        shown = list(_shown_of(event, self._telling))
        is_over = self._asking.is_over(event, self._telling, self._tokens)
        if self._checks and self._telling.quoted:
            self._checks = False
            check = self._asking.goes_astray(self._telling, self._tokens)
            if await self._asking.run.within(check):
                return [], True
        if self._told.holds:
            for token in shown:
                if isinstance(token, Token):
                    self._told.hold(token)
            shown = [one for one in shown if not isinstance(one, Token)]
        return shown, is_over


def _shown_of(event: CompletionEvent, telling: Telling) -> Iterator[Event]:
    """What an event of the model's stream means for whoever follows the answer."""
    match event:
        case Queued():
            yield Waiting(event.position, event.eta_seconds)
        case Prefill():
            yield Reading(event.done, event.total)
        case TokenText():
            yield from cited(telling, telling.feed(event.text, event.logprobs))
        case Finished() | HiddenState():
            pass
