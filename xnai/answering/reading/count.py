"""The tokens that one question costs, over all that is asked of the model for it."""

from xnai.llm.protocol import FinishReason
from xnai.types import Usage


class Count:
    """The tokens of all that was asked for one question; ``reason`` is why its text ended."""

    def __init__(self) -> None:
        self.usage = Usage()
        self.reason: FinishReason = "stop"
        self.written = 0  # texts of the completion that runs

    def add(self, more: Usage) -> None:
        """Count what one completion has used."""
        before, self.written = self.usage, 0
        self.usage = Usage(
            before.prompt_tokens + more.prompt_tokens,
            before.completion_tokens + more.completion_tokens,
            before.reused_tokens + more.reused_tokens,
        )
