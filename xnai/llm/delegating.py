"""What a model that stands before others hands on as it is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from xnai.llm.protocol import Capabilities, LanguageModel
from xnai.types import Message


class DelegatingModel(ABC):
    """The part of ``LanguageModel`` that the one which answers now says for another."""

    @property
    @abstractmethod
    def _answering(self) -> LanguageModel:
        """The model that would answer now."""

    @property
    def context_tokens(self) -> int:
        """Prompt and answer together may have this many tokens."""
        return self._answering.context_tokens

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return self._answering.parameters

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beside writing text."""
        return self._answering.capabilities

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the template's own."""
        return await self._answering.count_tokens(texts)

    async def count_prompt(self, messages: Sequence[Message]) -> int:
        """Tokens of the rendered prompt."""
        return await self._answering.count_prompt(messages)
