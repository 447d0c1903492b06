"""What is noted of what happens: logs, and who asked."""

from typing import Literal

from pydantic import BaseModel, Field, field_validator

from xnai.settings.words import place


class ObservabilitySettings(BaseModel):
    """What is noted of what happens: logs, and who asked."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least important level that is logged."
    )
    log_format: Literal["console", "json"] = Field("console", description="How log lines look.")
    audit: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Note who asked, when, of which documents and how it ended, a JSON line each. "
        "`auto`: if `XNAI_API_KEYS` is set, since others ask then, or another audit setting.",
    )
    audit_log: str = Field(
        "", description="File of the audit log. Unset: `audit.jsonl` in the data folder."
    )
    audit_content: bool = Field(
        default=False,
        description="Keep questions, answers and the names of files in the audit log, too.",
    )
    audit_max_mb: int = Field(
        10, ge=1, le=1_000_000, description="Size in megabytes at which a new audit log is begun."
    )
    audit_files: int = Field(
        5, ge=0, le=1000, description="Earlier audit logs that are kept, as `audit.jsonl.1` and on."
    )

    @field_validator("audit_log")
    @classmethod
    def _audit_place(cls, value: str) -> str:
        return place(value)
