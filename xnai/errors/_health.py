"""What is wrong with a part of the server, as /health/ready tells it."""

from xnai.errors._kinds import Category, ErrorKind

PART_SILENT = ErrorKind(
    "part_silent",
    Category.INTERNAL,
    503,
    "The part {part} has not answered for {seconds:.0f} seconds.",
    "It is asked again by itself; if it stays so, look at its disk and at the server's log.",
    seen="Whoever looks at /health/ready while a part does not answer.",
    retryable=True,
)
PART_FAILED = ErrorKind(
    "part_failed",
    Category.INTERNAL,
    503,
    "The part {part} does not work: {reason}.",
    "It is asked again by itself; the server's log says more.",
    seen="Whoever looks at /health/ready while a part fails in a way that nobody foresaw.",
    retryable=True,
)
DISK_LOW = ErrorKind(
    "disk_low",
    Category.STORAGE,
    507,
    "The disk of XNAI_DATA_DIR has {free} left; {kept}.",
    "Free some space, or set XNAI_DATA_DIR to a larger disk.",
    seen="Whoever looks at /health/ready, or has `xnai doctor` look, before the disk is full.",
)
DOCUMENTS_MISSING = ErrorKind(
    "documents_missing",
    Category.STORAGE,
    503,
    "The files of {count} documents are missing: {reason}.",
    "Nothing was deleted, and they come back by themselves when the files do; "
    "`xnai documents list` shows them.",
    seen="Whoever looks at /health/ready, or has `xnai doctor` look, while original files are "
    "missing.",
    retryable=True,
)
INDEX_PARTLY_DAMAGED = ErrorKind(
    "index_partly_damaged",
    Category.STORAGE,
    503,
    "The document index {path} is damaged in part: {reason}.",
    "What can be read is still found. `xnai doctor` says how to have the index made anew.",
    seen="Whoever looks at /health/ready while rows of the index cannot be read.",
)
REDIS_AWAY = ErrorKind(
    "redis_away",
    Category.STORAGE,
    503,
    "Redis cannot be reached: {reason}.",
    "It is tried again by itself; until then this replica judges by its own calls alone.",
    seen="Whoever looks at /health/ready while Redis is gone or hangs.",
    retryable=True,
)
