"""Models on other servers, in place of the local engine."""

import re
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from xnai.settings.words import DAY, endpoint, parts


class EndpointSettings(BaseModel):
    """Models on other servers, in place of the local engine."""

    llm_url: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Base addresses of OpenAI-compatible servers (vLLM, llama-server, another "
        "XNAi) that generate the answers in place of the local engine, comma-separated, e.g. "
        "`http://10.0.0.5:8080`. Questions and passages are sent there.",
    )
    llm_api_key: SecretStr = Field(
        SecretStr(""), description="Key that is sent to every address of `XNAI_LLM_URL`."
    )
    llm_model: str = Field(
        "", description="Model to ask for at `XNAI_LLM_URL`. Unset: the default of each server."
    )
    llm_context: int = Field(
        0,
        ge=0,
        le=10_000_000,
        description="Context of the model at `XNAI_LLM_URL` in tokens. 0: what the server says, "
        "4096 if it says nothing (2048 for llama_cpp.server, as that is its default).",
    )
    llm_connect_timeout: float = Field(
        5.0,
        gt=0,
        le=DAY,
        description="Seconds to wait for a connection to a server of `XNAI_LLM_URL`.",
    )
    llm_first_token_timeout: float = Field(
        120.0,
        gt=0,
        le=DAY,
        description="Seconds to wait for the first text from a server of `XNAI_LLM_URL`; anew "
        "whenever it tells the place in its line.",
    )
    llm_token_timeout: float = Field(
        60.0, gt=0, le=DAY, description="Seconds between two pieces of text from there."
    )
    llm_fallback: bool = Field(
        default=False,
        description="Answer with the local engine while no server of `XNAI_LLM_URL` can; the "
        "engine is compiled and its model loaded for that.",
    )

    @field_validator("llm_url", mode="before")
    @classmethod
    def _split_addresses(cls, value: object) -> object:
        return parts(value)

    @field_validator("llm_url")
    @classmethod
    def _endpoints(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(endpoint(url) for url in urls))

    @field_validator("llm_api_key")
    @classmethod
    def _sendable(cls, key: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[!-~]*", key.get_secret_value()):
            raise ValueError("a key has ASCII letters, digits and signs, no spaces")
        return key
