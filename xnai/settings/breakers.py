"""When a part that fails is left alone for a while, and with whom that is shared."""

from pydantic import BaseModel, Field, SecretStr


class BreakerSettings(BaseModel):
    """When a part that fails is left alone for a while, and with whom that is shared."""

    breaker_failures: int = Field(
        5,
        ge=1,
        le=1_000_000,
        description="Failures in a row after which a part is not asked for a while.",
    )
    breaker_failure_rate: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of failures, of at least 10 calls within 30 seconds, after which a part "
        "is not asked for a while.",
    )
    breaker_open_seconds: float = Field(
        5.0,
        gt=0,
        le=3600,
        description="Seconds that it is not asked; doubled with each attempt that fails, up to "
        "two minutes.",
    )
    redis_url: SecretStr = Field(
        SecretStr(""),
        description="Where several replicas of this server share what they know of the servers of "
        "`XNAI_LLM_URL`: `redis://[user:password@]host[:port][/db]` (`rediss` for TLS, "
        "`unix:///path`, `redis+sentinel://host,…/service`, `redis+cluster://host,…`). "
        "Unset: each replica finds out for itself.",
    )
