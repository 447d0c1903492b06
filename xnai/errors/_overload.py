"""No room or no time: the same request may do better in a moment."""

from xnai.errors._kinds import Category, ErrorKind

QUEUE_FULL = ErrorKind(
    "queue_full",
    Category.OVERLOAD,
    429,
    "{waiting:,} questions already wait for the model.",
    "Try again in a moment.",
    seen="Whoever has `XNAI_QUEUE_LIMIT` questions waiting, or fewer beside other people's.",
    retryable=True,
)
ANSWER_TIMEOUT = ErrorKind(
    "answer_timeout",
    Category.OVERLOAD,
    504,
    "The answer was not finished within the {seconds:g} seconds that it may take.",
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
TOO_MANY_REQUESTS = ErrorKind(
    "too_many_requests",
    Category.OVERLOAD,
    429,
    "{count} requests from here are under way already.",
    "Wait until some of them have ended.",
    seen="Whoever has more requests, uploads or answers under way at once than is still free "
    "for all others together.",
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
