"""How soon a worker is started again."""

from xnai.llm.engine.backoff import BACK_OFF, REST_SECONDS, STABLE_SECONDS, Restart, Restarts
from xnai.llm.engine.launch import Death

DEATH = Death("segfault", "it crashed")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_restart_in_a_row_comes_later_and_the_last_only_when_asked():
    restarts = Restarts()
    found = [restarts.died() for _ in range(len(BACK_OFF) + 2)]
    asked = Restart(REST_SECONDS, automatic=False)
    assert found == [*(Restart(delay, automatic=True) for delay in BACK_OFF), asked, asked]


def test_an_answer_begins_the_row_anew():
    restarts = Restarts()
    restarts.died()
    restarts.answered()
    assert restarts.died() == Restart(0.0, automatic=True)


def test_a_long_life_begins_the_row_anew():
    clock = Clock()
    restarts = Restarts(clock)
    restarts.died()
    restarts.started()
    clock.now = STABLE_SECONDS + 1
    assert restarts.died().delay == 0.0


def test_a_short_life_does_not():
    clock = Clock()
    restarts = Restarts(clock)
    restarts.died()
    restarts.started()
    clock.now = STABLE_SECONDS - 1
    assert restarts.died().delay == BACK_OFF[1]


def test_repeated_deaths_are_counted_in_words():
    restarts = Restarts()
    restarts.died()
    assert restarts.explain(DEATH) == "it crashed"
    restarts.died()
    assert restarts.explain(DEATH) == "it crashed; that was 2 times in a row"
