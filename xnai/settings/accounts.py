"""Who may ask."""

from typing import Annotated

from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from xnai.settings.words import parts

LEAST_KEY = 16  # characters; what is shorter can be guessed, and stands in a log by chance


class AccountSettings(BaseModel):
    """Who may ask."""

    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        description="Keys that open the HTTP API (`Authorization: Bearer`) and the page (as the "
        "password), comma-separated, 16 characters or more each; only the first may choose the "
        "model, which all share, and set circuit breakers by hand. Unset: no login, and only "
        "loopback is listened on.",
    )

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        return parts(value)

    @field_validator("api_keys")
    @classmethod
    def _long_enough(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < LEAST_KEY for key in keys):
            make = "python3 -c 'import secrets; print(secrets.token_urlsafe(24))'"
            raise ValueError(f"a key has at least {LEAST_KEY} characters; {make} makes one")
        return keys
