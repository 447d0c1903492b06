"""How answers are given, and to how many at a time."""

from pydantic import BaseModel, Field

from xnai.settings.words import DAY


class AnswerSettings(BaseModel):
    """How answers are given, and to how many at a time."""

    temperature: float = Field(0.2, ge=0, le=2, description="Default sampling temperature.")
    max_tokens: int = Field(
        512, ge=1, le=1_000_000, description="Default longest answer, in tokens."
    )
    answer_timeout: float = Field(
        300.0, gt=0, le=DAY, description="Seconds an answer may take in all, waiting included."
    )
    queue_limit: int = Field(
        64,
        ge=1,
        le=100_000,
        description="Questions that one person may have waiting for the model while nobody else "
        "has any; as many again are kept free for others. More are refused with 429.",
    )
