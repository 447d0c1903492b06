"""The model on this machine, and the engine that runs it."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, field_validator

from xnai.settings.words import MONTH, place

MOST_LAYERS = 9_999  # of a model on a GPU; no model has as many


class ModelSettings(BaseModel):
    """The model on this machine, and the engine that runs it."""

    model: str = Field(
        "",
        description="`bundled`, a name of the catalogue or of a file in the models folder, or the "
        "path of a GGUF file. Unset: the model that `make run` has fetched and tested, else the "
        "bundled SmolLM2-135M-Instruct.",
    )
    fetch_model: bool = Field(
        default=False,
        description="Fetch the model that is recommended for this machine at the start, and switch "
        "to it when it has passed its self-test; `make run` sets this, nothing else does.",
    )
    hub: Literal["on", "off"] = Field(
        "on",
        description="`off`: models come from the package registry alone, no model hub is asked.",
    )
    models_dir: Path = Field(Path("models"), description="Folder of GGUF files to choose from.")
    context: int = Field(
        0,
        ge=0,
        le=10_000_000,
        description="Context size in tokens. 0: the model's own, at most 8192.",
    )
    slots: int = Field(
        0, ge=0, le=64, description="Answers generated at the same time. 0: by cores and memory."
    )
    threads: int = Field(
        0, ge=0, le=4096, description="CPU threads for the model. 0: all usable cores."
    )
    drafting: bool = Field(
        default=True,
        description="Guess tokens that repeat prompt or answer, where that is measured to be "
        "faster. The text stays what it would be.",
    )
    engine_build: Literal[
        "", "native", "native-no-amx", "avx2", "baseline", "armv8-a", "dynamic"
    ] = Field(
        "",
        description="Build of the model's engine to use: `native`, `native-no-amx`, `avx2`, "
        "`baseline`, on Arm `native` or `armv8-a`; `dynamic` has a part for every processor. "
        "Unset: the fastest that passes its self-test on this machine.",
    )
    engine_cmake_args: str = Field(
        "",
        description="Further options for CMake when the engine is compiled, such as "
        "`-DGGML_CUDA=ON` for an NVIDIA GPU; docs/install.md has one for each kind.",
    )
    gpu_layers: str = Field(
        "auto",
        description="Layers of the model that a GPU computes, if the engine was built for one: a "
        "number, or `auto` for as many as fit into its memory.",
    )
    calibration: bool = Field(
        default=True,
        description="Measure, while nobody asks and the machine is quiet, which copy of the model "
        "is the fastest here, and with how many threads it runs best, and run it so. Once for each "
        "model and machine; a question stops it at once.",
    )
    prefix_cache_mb: int = Field(
        2000,
        ge=0,
        le=1_000_000,
        description="Megabytes on disk for what the model has read of documents, so that a "
        "question after a restart, or in a chat of last week, need not wait until they are read "
        "again. It goes with its document, and 2 GB of the disk stay free. 0: nothing is kept.",
    )
    idle_unload: float = Field(
        0.0,
        ge=0,
        le=MONTH,
        description="Seconds without a question after which the model's memory is given back; the "
        "next question loads it again. 0: never.",
    )

    @field_validator("model", "models_dir")
    @classmethod
    def _model_place(cls, value: str | Path) -> str | Path:
        return place(value)

    @field_validator("gpu_layers")
    @classmethod
    def _layers(cls, value: str) -> str:
        is_number = value.isascii() and value.isdigit() and int(value) <= MOST_LAYERS
        if value != "auto" and not is_number:
            raise ValueError(f"it has to be auto or a whole number from 0 to {MOST_LAYERS:,}")
        return value

    @field_validator("models_dir")
    @classmethod
    def _absolute_models(cls, value: Path) -> Path:
        return value.expanduser().resolve()
