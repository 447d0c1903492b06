"""The model that is measured: its copies, and whether memory and disk have room for them."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from xnai.llm.calibration import plan
from xnai.llm.calibration.choice import ORIGINAL, copy_path
from xnai.llm.calibration.plan import Measurement
from xnai.llm.gguf.catalogue import COMPUTE_BYTES, ModelFile, ModelFiles
from xnai.llm.gguf.header import Header
from xnai.llm.hardware import available_memory

SPARE_BYTES = 500_000_000  # of memory and disk that stay free beside a copy
# A copy takes no more memory than README promises: 2 GB, of larger models twice their file.
PROMISED_BYTES = 2_000_000_000
PROMISED_TIMES = 2


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model that is loaded, and how many of its layers are on a GPU."""

    file: ModelFile
    gpu_layers: int = 0


@dataclass(frozen=True, slots=True)
class Subject:
    """A model's file, its header, and the key of its findings."""

    file: ModelFile
    header: Header
    key: str

    def path(self, files: ModelFiles, copy: str) -> Path:
        """Where a copy lies, or would."""
        return self.file.path if copy == ORIGINAL else copy_path(files, self.key, copy)

    def copies(self, files: ModelFiles) -> list[str]:
        """The kinds of copies that are neither the file's own nor too large; blocks."""
        if "-of-" in self.file.name:  # a file in parts is not copied
            return []
        files.cache_dir.mkdir(parents=True, exist_ok=True)
        promised = max(PROMISED_BYTES - COMPUTE_BYTES, PROMISED_TIMES * self.header.tensor_bytes)
        disk = shutil.disk_usage(files.cache_dir).free - SPARE_BYTES
        found = []
        for kind, bits in plan.COPIES.items():
            size = self.header.parameters * bits / 8
            is_own = self.header.quantisation.startswith(kind)
            if not is_own and size <= promised and (size < disk or self.path(files, kind).exists()):
                found.append(kind)
        return found

    def has_room(self, measurement: Measurement) -> bool:
        """Whether the memory holds the loaded model and what is to be measured beside it.

        Their files are mapped, so one that both read is there once; writing a copy takes about a
        byte for each weight.
        """
        other = 0 if measurement.copy == ORIGINAL else self.header.tensor_bytes
        if measurement.kind == "make":
            other = self.header.parameters
        needed = self.header.tensor_bytes + other + COMPUTE_BYTES + SPARE_BYTES
        return available_memory() >= needed
