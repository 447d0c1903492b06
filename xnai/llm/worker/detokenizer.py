"""From tokens' bytes to text that may be shown: whole characters, stop strings withheld."""

import codecs
from collections.abc import Iterable


class StopMatcher:
    """Passes text through up to the first stop string that is completed.

    However the text is cut into pieces, the same text comes out: what might still become a stop
    string is held back, and of several stop strings the one that ends first counts.
    """

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """Take new text; returns what may be shown now."""
        if self.stopped:
            return ""
        buffer = self._held + text
        ends = [
            (start + len(stop), start) for stop in self._stops if (start := buffer.find(stop)) >= 0
        ]
        if ends:
            self.stopped, self._held = True, ""
            # The longest of those that end together begins first.
            return buffer[: min(ends)[1]]
        held = max((_overlap(buffer, stop) for stop in self._stops), default=0)
        cut = len(buffer) - held
        self._held = buffer[cut:]
        return buffer[:cut]

    def flush(self) -> str:
        """What was held back, when no more text comes."""
        held, self._held = self._held, ""
        return held


class TextStream:
    """Turns the bytes of tokens into text, whole characters only, until a stop string."""

    def __init__(self, stops: Iterable[str] = ()) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._matcher = StopMatcher(stops)

    @property
    def stopped(self) -> bool:
        """Whether a stop string was completed."""
        return self._matcher.stopped

    def feed(self, piece: bytes) -> str:
        """Take one token's bytes; returns what may be shown now."""
        return self._matcher.feed(self._decoder.decode(piece))

    def flush(self) -> str:
        """The rest when the answer is over; a character that was cut off is dropped."""
        return self._matcher.flush()


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of ``text`` that begins ``stop`` without completing it."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
