"""Counters, gauges and histograms whose labels take few values, told to OpenTelemetry.

The SDK takes about ten microseconds for a measurement, and a question makes some twenty. So counts
are kept here and read when somebody looks, and what histograms take is handed over a moment later.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.metrics import Histogram as SdkHistogram
from opentelemetry.metrics import Meter as SdkMeter
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

OTHER = "other"

_LONGEST = 100  # characters of a label's value
_PENDING = 256  # measurements of histograms; handing them over takes some milliseconds
_SUFFIXES = {"": "", "s": "_seconds", "By": "_bytes"}  # by unit, as the exporter appends them


class Label:
    """One label of an instrument; what is not among its values is told as ``other``.

    Args:
        name: as OpenTelemetry spells it.
        known: the values there are; without, the first ``limit`` that come.
        limit: how many values may come.

    """

    def __init__(self, name: str, known: Collection[str] | None = None, limit: int = 20) -> None:
        self.name = name
        self._values = set(known or ())
        self._limit = limit if known is None else 0

    def bound(self, value: str) -> str:
        """The value itself, or ``other``; an empty one means that there is none."""
        if value in self._values or not value:
            return value
        if len(self._values) >= self._limit or len(value) > _LONGEST or not value.isprintable():
            return OTHER
        self._values.add(value)
        return value


class Labels:
    """The labels of one instrument, in the order in which values are given."""

    def __init__(self, labels: Iterable[Label | str]) -> None:
        self._labels = [Label(one) if isinstance(one, str) else one for one in labels]

    def __len__(self) -> int:
        return len(self._labels)

    def bound(self, values: Sequence[str]) -> tuple[str, ...]:
        """The values, each as its label takes it."""
        pairs = zip(self._labels, values, strict=True)
        return tuple(label.bound(value) for label, value in pairs)

    def attributes(self, values: Sequence[str]) -> dict[str, str]:
        """Bounded values by name."""
        pairs = zip(self._labels, values, strict=True)
        return {label.name: value for label, value in pairs if value}


class Series:
    """One number and its labels; from any thread."""

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self.attributes = attributes
        self._value = 0.0
        self._function: Callable[[], float] | None = None
        self._lock = threading.Lock()

    @property
    def value(self) -> float:
        """The number now."""
        return self._value if self._function is None else self._function()

    def inc(self, amount: float = 1.0) -> None:
        """Add to it."""
        with self._lock:
            self._value += amount

    def dec(self) -> None:
        """Take one from it."""
        self.inc(-1.0)

    def set(self, value: float) -> None:
        """Replace it."""
        self._value = value

    def set_function(self, function: Callable[[], float]) -> None:
        """Have it asked for when somebody looks; in the event loop, so it must not wait."""
        self._function = function


class Counter:
    """Numbers that rise, one for each set of labels; a gauge when it is made as one."""

    def __init__(self, labels: Iterable[Label | str]) -> None:
        self._labels = Labels(labels)
        self._series: dict[tuple[str, ...], Series] = {}
        if not len(self._labels):
            self.labels()

    def labels(self, *values: str) -> Series:
        """The number of these labels; it begins at zero."""
        series = self._series.get(values)
        if series is None:
            bound = self._labels.bound(values)
            new = Series(self._labels.attributes(bound))
            series = self._series.setdefault(bound, new)
        return series

    def inc(self, amount: float = 1.0) -> None:
        """Add to the only number of an instrument without labels."""
        self.labels().inc(amount)

    def observe(self, _: CallbackOptions) -> Iterator[Observation]:
        """All numbers, for the SDK."""
        for series in list(self._series.values()):
            yield Observation(float(series.value), series.attributes)


class Gauge(Counter):
    """Numbers that rise and fall."""

    def dec(self) -> None:
        """Take one from the only number."""
        self.labels().dec()

    def set(self, value: float) -> None:
        """Replace the only number."""
        self.labels().set(value)

    def set_function(self, function: Callable[[], float]) -> None:
        """Have the only number asked for when somebody looks."""
        self.labels().set_function(function)


Pending = deque[tuple[SdkHistogram, float, Mapping[str, str]]]


class Histogram:
    """How measurements are spread, for each set of labels."""

    def __init__(
        self, instrument: SdkHistogram, labels: Iterable[Label | str], pending: Pending
    ) -> None:
        self._instrument = instrument
        self._labels = Labels(labels)
        self._attributes: dict[tuple[str, ...], Mapping[str, str]] = {}
        self._pending = pending

    def observe(self, value: float, *labels: str) -> None:
        """Take a measurement; from any thread."""
        attributes = self._attributes.get(labels)
        if attributes is None:
            bound = self._labels.bound(labels)
            new = self._labels.attributes(bound)
            attributes = self._attributes.setdefault(bound, new)
        self._pending.append((self._instrument, value, attributes))
        if len(self._pending) > _PENDING:
            settle(self._pending)


def settle(pending: Pending) -> None:
    """Hand over what was measured."""
    try:
        while True:
            instrument, value, attributes = pending.popleft()
            instrument.record(value, attributes)
    except IndexError:
        pass


class Instruments:
    """Makes instruments and knows how Prometheus spells their names.

    Args:
        meter: of the SDK.

    """

    def __init__(self, meter: SdkMeter) -> None:
        self._meter = meter
        self._pending: Pending = deque()
        self._families: dict[str, Callable[[], Metric]] = {}

    def counter(self, name: str, words: str, *labels: Label | str, unit: str = "") -> Counter:
        """A counter; ``_total`` is appended to its name."""
        counter = Counter(labels)
        self._meter.create_observable_counter(name, [counter.observe], unit, words)
        self._declare(name, unit, lambda name: CounterMetricFamily(name, words))
        return counter

    def gauge(self, name: str, words: str, *labels: Label | str, unit: str = "") -> Gauge:
        """A gauge."""
        gauge = Gauge(labels)
        self._meter.create_observable_gauge(name, [gauge.observe], unit, words)
        self._declare(name, unit, lambda name: GaugeMetricFamily(name, words))
        return gauge

    def histogram(
        self, name: str, words: str, buckets: Sequence[float], *labels: Label | str, unit: str = "s"
    ) -> Histogram:
        """A histogram with these upper bounds."""
        instrument = self._meter.create_histogram(
            name, unit, words, explicit_bucket_boundaries_advisory=buckets
        )
        zeros = [(str(bound), 0.0) for bound in buckets] + [("+Inf", 0.0)]

        def empty(name: str) -> Metric:
            family = HistogramMetricFamily(name, words)
            if not labels:
                family.add_metric([], zeros, 0.0)
            return family

        self._declare(name, unit, empty)
        return Histogram(instrument, labels, self._pending)

    def _declare(self, name: str, unit: str, family: Callable[[str], Metric]) -> None:
        spelled = name.replace(".", "_") + _SUFFIXES.get(unit, "")
        self._families[spelled] = lambda: family(spelled)

    def settle(self, least: int = 0) -> None:
        """Hand over what histograms have taken, unless it is less than so much."""
        if len(self._pending) >= least:
            settle(self._pending)

    def families(self, exported: CollectorRegistry) -> Collector:
        """Everything there is: what the exporter has, and by name what nothing was counted of."""
        return _Families(self, exported)

    def missing(self, names: Collection[str]) -> Iterator[Metric]:
        """The families that are not among the names."""
        return (make() for name, make in self._families.items() if name not in names)


class _Families(Collector):
    def __init__(self, instruments: Instruments, exported: CollectorRegistry) -> None:
        self._instruments = instruments
        self._exported = exported

    def collect(self) -> Iterator[Metric]:
        self._instruments.settle()
        names = set()
        for family in self._exported.collect():
            names.add(family.name)
            yield family
        yield from self._instruments.missing(names)
