"""What the engine has done since the start, for the program and for /metrics."""

from dataclasses import dataclass

from xnai.llm.engine.launch import Cause
from xnai.llm.engine.request import Request
from xnai.llm.ipc import Figures
from xnai.observability import metrics


@dataclass(slots=True)
class Counters:
    """Counts since the start; tokens of cancelled answers included.

    ``prefilled_tokens`` of the prompts were read, ``reused_tokens`` were in the cache already.
    """

    loads: int = 0
    restarts: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prefilled_tokens: int = 0
    reused_tokens: int = 0

    def take(self, request: Request, figures: Figures) -> None:
        """Add an answer that is over."""
        reused = figures.reused_tokens
        self.prompt_tokens += figures.prompt_tokens
        self.completion_tokens += figures.completion_tokens
        self.prefilled_tokens += request.prefilled
        self.reused_tokens += reused
        metrics.prefilled_tokens.inc(max(0, request.prefilled))
        metrics.reused_tokens.inc(reused)

    def died(self, cause: Cause) -> None:
        """Count the end of a worker that nobody had wished for."""
        self.restarts += 1
        metrics.model_restarts.inc()
        metrics.model_deaths.labels(cause).inc()
