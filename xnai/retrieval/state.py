"""Whether documents can be searched."""

import time
from dataclasses import dataclass, field


@dataclass
class SearchState:
    """Whether documents can be searched; ``since`` is seconds since the epoch."""

    state: str = "starting"  # starting, ready, down
    since: float = field(default_factory=time.time)
    detail: str = "Opening the index"
    error_code: str = ""

    def become(self, state: str, detail: str = "", error_code: str = "") -> None:
        """Note a change of state."""
        self.state, self.detail, self.error_code = state, detail, error_code
        self.since = time.time()
