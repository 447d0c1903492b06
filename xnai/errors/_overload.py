"""No room or no time: the same request may do better in a moment."""

from xnai.errors._kinds import Category, ErrorKind

QUEUE_FULL = ErrorKind(
    "queue_full",
    Category.OVERLOAD,
    429,
    "{waiting} questions are already waiting for the model.",
    "Try again in a moment.",
    seen="Whoever asks while `XNAI_QUEUE_LIMIT` questions wait.",
    retryable=True,
)
ANSWER_TIMEOUT = ErrorKind(
    "answer_timeout",
    Category.OVERLOAD,
    504,
    "The answer was not finished within {seconds:.0f} seconds.",
    "Ask for less, or raise XNAI_ANSWER_TIMEOUT.",
    seen="Whoever waits longer than `XNAI_ANSWER_TIMEOUT`, the queue included.",
    retryable=True,
)
SHUTTING_DOWN = ErrorKind(
    "shutting_down",
    Category.OVERLOAD,
    503,
    "The server is shutting down.",
    "Try again in a moment.",
    seen="Whoever asks while the server is being stopped, or whose answer did not end in the "
    "time left.",
    retryable=True,
)
TOO_MANY_SESSIONS = ErrorKind(
    "too_many_sessions",
    Category.OVERLOAD,
    503,
    "{count} pages are open already.",
    "Close another tab, then reload this page.",
    seen="Whoever opens one page too many.",
    retryable=True,
)
