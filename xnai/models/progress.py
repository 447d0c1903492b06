"""How far a download is: a bar on a terminal, a line for each tenth elsewhere."""

import sys
from typing import Any, Self

from tqdm import tqdm

from xnai.models.meter import MeterReading


class DownloadBar(tqdm):  # type: ignore[misc]
    """What ``huggingface_hub`` is given to show progress with."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.pop("name", None)  # the library's own
        self._tenth = -1
        self._plain = not sys.stderr.isatty()
        super().__init__(*args, **{**options, "file": sys.stderr, "disable": self._plain})
        self._total = int(options.get("total") or 0)
        self._done = int(options.get("initial") or 0)
        self._what = str(options.get("desc") or "")
        self._tell()

    def update(self, n: float | None = 1) -> bool | None:
        """Count bytes."""
        self._done += int(n or 0)
        self._tell()
        shown: bool | None = super().update(n)
        return shown

    def _tell(self) -> None:
        tenth = 10 * self._done // self._total if self._total else 0
        if self._plain and tenth != self._tenth:
            self._tenth = tenth
            megabytes = f"{self._done / 1e6:,.0f} of {self._total / 1e6:,.0f} MB"
            print(f"{self._what}: {10 * tenth} %, {megabytes}", file=sys.stderr, flush=True)


class ToldProgress:
    """Shows the readings of a meter; a source that changes begins at what is there by then."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bar: DownloadBar | None = None
        self._source = ""
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, reading: MeterReading) -> None:
        """Show how far it is."""
        if self._bar is None:
            self._bar = DownloadBar(
                total=reading.total,
                initial=reading.done,
                desc=self._name,
                unit="B",
                unit_scale=True,
            )
        elif reading.done != self._done:
            self._bar.update(reading.done - self._done)
        self._done = reading.done
        if reading.source != self._source:
            self._source = reading.source
            print(f"{self._name}: from the {reading.source}", file=sys.stderr, flush=True)
