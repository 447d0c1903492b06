"""Wheels that carry a file in parts, in a folder that pip takes for its registry."""

import hashlib
import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

VERSION = "1.0.0"


def make_wheel(folder: Path, project: str, members: dict[str, bytes]) -> Path:
    """Write a wheel as pip takes it."""
    module = project.replace("-", "_")
    about = f"{module}-{VERSION}.dist-info"
    path = folder / f"{module}-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in members.items():
            wheel.writestr(name, content)
        text = f"Metadata-Version: 2.1\nName: {project}\nVersion: {VERSION}\n"
        wheel.writestr(f"{about}/METADATA", text)
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    return path


@dataclass
class DataPackages:
    """A model of one file, carried by packages, with a catalogue that names them.

    Args:
        folder: where wheels and catalogue are written.
        content: the file.
        parts: number of packages.
        name: of the model; its file has ``.gguf`` after it.
        repository: of a hub that has it too; empty: none.

    """

    folder: Path
    content: bytes
    parts: int = 3
    name: str = "carried-model"
    repository: str = ""
    sha256: str = ""
    wheels: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        step = -(-len(self.content) // self.parts)
        self.rows = []
        for number in range(1, self.parts + 1):
            data = self.content[(number - 1) * step : number * step]
            member = f"carrier_part{number}/data/part{number:02}.bin"
            wheel = make_wheel(self.folder, f"carrier-part{number}", {member: data})
            self.wheels.append(wheel)
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            self.rows.append([digest, wheel.stat().st_size, len(data)])
        self.catalogue = self.folder / "catalogue.toml"
        self.catalogue.write_text(self._toml(), encoding="utf-8")

    @property
    def file(self) -> str:
        return f"{self.name}.gguf"

    def environment(self) -> dict[str, str]:
        """What has pip know of these packages and of no others."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "XNAI_", "HF_"))}
        own = {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.folder),
            "PIP_CONFIG_FILE": os.devnull,
        }
        return {**kept, **own}

    def _toml(self) -> str:
        digest = self.sha256 or hashlib.sha256(self.content).hexdigest()
        hub = f"""
[models.files.hub]
repository = "{self.repository}"
revision = "main"
path = "{self.file}"
"""
        return f"""
[[models]]
name = "{self.name}"
title = "Carried model"
kind = "chat"
weights = 134515008
languages = ["en"]
licence = "Apache-2.0"
context = 8192
memory = 100000000
tried = true
recommended = 1

[[models.files]]
name = "{self.file}"
size = {len(self.content)}
sha256 = "{digest}"
{hub if self.repository else ""}
[models.files.carrier]
project = "carrier-part{{n}}"
version = "{VERSION}"
member = "carrier_part{{n}}/data/part{{n:02}}.bin"
parts = {json.dumps(self.rows)}
"""
