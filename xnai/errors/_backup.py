"""Backups and what is restored from them."""

from xnai.errors._kinds import Category, ErrorKind

BACKUP_PLACE_TAKEN = ErrorKind(
    "backup_place_taken",
    Category.COMMAND,
    409,
    "{path} exists already; nothing was written.",
    "Name a new folder, or move that one away first.",
    seen="Whoever runs `xnai backup` or `xnai restore` onto something that is there.",
)
BACKUP_INVALID = ErrorKind(
    "backup_invalid",
    Category.COMMAND,
    400,
    "{path} cannot be used: {reason}.",
    "Name a folder that `xnai backup` has made, or the data folder of a server in XNAI_DATA_DIR.",
    seen="Whoever runs `xnai backup` or `xnai restore` with a folder that is none.",
)
