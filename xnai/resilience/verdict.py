"""Whether what ended within the window calls for opening."""

from xnai.resilience.config import Config
from xnai.resilience.window import Window


def verdict(config: Config, window: Window, now: float, why: str) -> str:
    """The reason to open, in words; "" if there is none.

    ``why`` says how the last call failed.
    """
    calls, failures, slow = window.totals(now)
    last = f", the last: {why}" if why else ""
    if config.streak and window.streak >= config.streak:
        plural = "" if window.streak == 1 else "s"
        return f"{window.streak} call{plural} in a row failed{last}"
    if calls < config.min_calls:
        return ""
    within = f"of {calls} calls within {config.window:g} s"
    if failures / calls >= config.failure_rate:
        return f"{failures} {within} failed{last}"
    if slow / calls >= config.slow_rate:
        return f"{slow} {within} took longer than {config.slow_call:g} s"
    return ""
