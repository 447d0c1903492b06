"""What the server and its worker agree on besides the frames."""

import json
from dataclasses import asdict, dataclass

BEAT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What a worker is told when it starts, as JSON in its first argument."""

    parent: int  # process id of the server
    model: str
    context: int  # tokens of prompt and answer together
    threads: int
    memory_limit: int  # bytes that may be allocated; mapped files do not count
    slots: int = 1  # requests that are answered at the same time
    store_bytes: int = 0  # for what is kept of past ones
    drafting: bool = True  # whether tokens may be guessed where that is faster
    requantise_to: str = ""  # only write this copy of the model and exit
    requantise_as: str = "Q8_0"  # how its weights are stored, see ``native.QUANTISATIONS``

    def to_json(self) -> str:
        """The argument."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "WorkerConfig":
        """Read the argument."""
        return cls(**json.loads(text))
