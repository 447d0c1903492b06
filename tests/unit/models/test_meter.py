"""Bytes done, rate and time left."""

from xnai.models.meter import WINDOW_SECONDS, Meter, bar_class


def test_the_rate_is_that_of_the_last_seconds_and_tells_what_is_left():
    now = [0.0]
    seen = []
    meter = Meter("m", 1000, seen.append, clock=lambda: now[0])
    meter.start("hub", 100)
    assert (seen[-1].rate, seen[-1].eta_seconds) == (0.0, None)
    now[0] = 10.0
    meter.add(200)
    assert (seen[-1].done, seen[-1].rate, seen[-1].eta_seconds) == (300, 20.0, 35.0)
    now[0] = 11.0 + WINDOW_SECONDS
    meter.at(300)
    assert seen[-1].rate == 0.0


def test_another_source_begins_at_what_is_there():
    meter = Meter("m", 10)
    meter.start("hub", 0)
    meter.add(6)
    meter.start("package registry", 4)
    assert (meter.reading().done, meter.reading().source) == (4, "package registry")
    assert meter.reading().share == 0.4


def test_the_bar_of_the_hubs_library_counts_into_the_meter():
    meter = Meter("m", 10)
    meter.start("hub", 2)
    with bar_class(meter)(total=10, initial=2, desc="m") as bar:
        bar.update(5)
        bar.update(-3)
    assert meter.done == 4
