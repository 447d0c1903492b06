"""The models that are known byte for byte, and where their bytes come from.

``catalogue.toml`` beside this file has the entries; its head says what each field means. Sources
are named by owner, repository and revision, or by project and version, never by a host.
"""

import functools
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from xnai.errors import MODEL_UNKNOWN, XnaiError
from xnai.llm.gguf.catalogue import BUNDLED_NAME
from xnai.retrieval.embedding.packed.unpacking import is_unpacked

SHIPPED = Path(__file__).with_name("catalogue.toml")
SUFFIX = ".gguf"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Bytes = Annotated[int, Field(gt=0, lt=2**40)]
# A name that is safe as that of a file or folder, whatever follows it.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$")]
Part = tuple[Sha256, Bytes, Bytes]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Wheel(_Frozen):
    """One package of the registry, by exact version and hash, and the one file in it that counts.

    ``size`` is that of the wheel, ``data`` that of the member; both are exact.
    """

    project: str
    version: str
    sha256: Sha256
    size: Bytes
    member: str
    data: Bytes
    platform: str = ""


class Carrier(_Frozen):
    """Data packages that hold a file in numbered parts.

    ``platform`` is that of a wheel with a program beside the data, which is never run.
    """

    project: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*(\{n\})?$")]
    version: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)*$")]
    member: str
    parts: tuple[Part, ...]
    platform: Annotated[str, Field(pattern=r"^[a-z0-9_]*$")] = ""

    @property
    def wheels(self) -> tuple[Wheel, ...]:
        """The packages in the order of their numbers."""
        return tuple(
            Wheel(
                project=self.project.format(n=number),
                version=self.version,
                sha256=sha256,
                size=size,
                member=self.member.format(n=number),
                data=data,
                platform=self.platform,
            )
            for number, (sha256, size, data) in enumerate(self.parts, 1)
        )


class HubPlace(_Frozen):
    """A file of a repository at its publisher's hub."""

    repository: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$")]
    revision: Annotated[str, Field(pattern=r"^([0-9a-f]{40}|main)$")]
    path: str


class DataFile(_Frozen):
    """One file of a model; ``text`` is the whole of a file that no publisher has."""

    name: Name
    size: int = Field(0, ge=0, lt=2**40)
    sha256: str = ""
    hub: HubPlace | None = None
    carrier: Carrier | None = None
    text: str = ""

    @model_validator(mode="after")
    def _is_whole(self) -> "DataFile":
        if self.text:
            return self
        if not self.size or len(self.sha256) != 64:  # noqa: PLR2004 - hexadecimal digits
            raise ValueError(f"{self.name} has no size or no sha256")
        if self.carrier and sum(data for _, _, data in self.carrier.parts) != self.size:
            raise ValueError(f"the parts of {self.name} are not as long as it is")
        return self


class KnownVector(_Frozen):
    """A text, and the first numbers of the vector that a model has for it."""

    text: str
    vector: tuple[float, ...]


class CatalogueEntry(_Frozen):
    """One model of the catalogue; the head of ``catalogue.toml`` says what the fields mean."""

    name: Name
    title: str
    kind: Literal["chat", "reranker", "embedder"]
    weights: Bytes
    languages: tuple[str, ...]
    licence: str
    context: int
    memory: Bytes
    tried: bool
    recommended: int
    note: str = ""
    speed: Mapping[str, tuple[float, float]] = Field(default_factory=dict)
    files: tuple[DataFile, ...] = ()
    unpacked: int = Field(0, ge=0, lt=2**40)
    known: tuple[KnownVector, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files that are fetched."""
        return sum(file.size for file in self.files)

    @property
    def is_bundled(self) -> bool:
        """Whether it comes with the program and is never fetched."""
        return self.name == BUNDLED_NAME

    @property
    def needs_hub(self) -> bool:
        """Whether it is to be had from a hub alone."""
        return any(not file.carrier and not file.text for file in self.files)

    @property
    def largest_part(self) -> int:
        """Bytes of the largest package that lies beside the data while it is fetched."""
        carriers = (file.carrier for file in self.files if file.carrier)
        return max((size for one in carriers for _, size, _ in one.parts), default=0)

    def path(self, models_dir: Path) -> Path:
        """Where it lies when it is there: a GGUF in the models folder, else a folder of its own."""
        if len(self.files) == 1 and PurePosixPath(self.files[0].name).suffix == SUFFIX:
            return models_dir / self.files[0].name
        return models_dir / self.name

    def place(self, file: DataFile, models_dir: Path) -> Path:
        """Where one of its files lies."""
        path = self.path(models_dir)
        return path if path.suffix == SUFFIX else path / file.name

    def is_there(self, models_dir: Path) -> bool:
        """Whether all files are there with the right sizes; their hashes were compared before."""
        return (
            bool(self.files)
            and all(
                _size(self.place(file, models_dir)) == (file.size or len(file.text.encode()))
                for file in self.files
            )
            and (not self.unpacked or is_unpacked(self.path(models_dir)))
        )


class Catalogue(_Frozen):
    """All entries, in the order of the file."""

    models: tuple[CatalogueEntry, ...]

    def find(self, name: str) -> CatalogueEntry | None:
        """The entry of that name, ``.gguf`` and large or small letters aside."""
        wanted = name.removesuffix(SUFFIX).casefold()
        wanted = BUNDLED_NAME.casefold() if wanted == "bundled" else wanted
        return next((one for one in self.models if one.name.casefold() == wanted), None)

    def get(self, name: str) -> CatalogueEntry:
        """The entry of that name that can be fetched.

        Raises:
            XnaiError: MODEL_UNKNOWN.

        """
        entry = self.find(name)
        if entry is None or not entry.files:
            known = ", ".join(one.name for one in self.models if one.files)
            raise XnaiError(MODEL_UNKNOWN, name=name[:200], known=known)
        return entry


def read(path: Path) -> Catalogue:
    """Read a catalogue file.

    Raises:
        ValueError: it is not one.
        OSError: it cannot be read.

    """
    with path.open("rb") as file:
        tables: dict[str, Any] = tomllib.load(file)
    return Catalogue.model_validate(tables)


@functools.cache
def shipped() -> Catalogue:
    """The catalogue that comes with the program."""
    return read(SHIPPED)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
