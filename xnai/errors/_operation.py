"""What operators meet: settings, start, commands, and what nobody foresaw."""

from xnai.errors._kinds import Category, ErrorKind

SETTING_INVALID = ErrorKind(
    "setting_invalid",
    Category.SETTING,
    500,
    "{name}={value!r} is not valid: {problem}.",
    "Correct it in the environment or in .env; docs/settings.md lists every setting.",
    seen="Whoever starts the server or runs a command with such a value in the environment "
    "or `.env`.",
)
EXPOSED_WITHOUT_KEYS = ErrorKind(
    "exposed_without_keys",
    Category.SETTING,
    500,
    "XNAI_HOST={host} would let other machines in without a key.",
    "Set one first: XNAI_API_KEYS=$(python3 -c 'import secrets; print(secrets.token_urlsafe(24))') "
    "make run, or listen on 127.0.0.1.",
    seen="Whoever starts the server on an address that other machines reach, without keys.",
)
DATA_DIR_UNUSABLE = ErrorKind(
    "data_dir_unusable",
    Category.STORAGE,
    500,
    "XNAI_DATA_DIR={folder} cannot be written: {reason}.",
    "Have its disk mounted for writing, give this user the right to write there, or name another "
    "folder in XNAI_DATA_DIR.",
    seen="Whoever starts the server: its folder is not there, or is not theirs to write.",
)
ACCOUNTS_DAMAGED = ErrorKind(
    "accounts_damaged",
    Category.STORAGE,
    500,
    "The people of this server cannot be read from {path}: {reason}.",
    "Put the file back from a backup: without it the documents and chats kept here are nobody's. "
    "To begin without them, name another XNAI_DATA_DIR.",
    seen="Whoever starts the server after the file was changed by hand, damaged, removed or locked "
    "away.",
)
DATA_DIR_FOREIGN = ErrorKind(
    "data_dir_foreign",
    Category.SETTING,
    500,
    "XNAI_DATA_DIR={folder} holds other things ({found}) and no mark of XNAi; nothing was changed.",
    "Name a folder of its own, which may be empty or not there yet: XNAI_DATA_DIR={own}.",
    seen="Whoever starts the server or restores a backup with `XNAI_DATA_DIR` at a folder that is "
    "somebody else's.",
)
PORT_TAKEN = ErrorKind(
    "port_taken",
    Category.SETTING,
    500,
    "{host}:{port} cannot be listened on: {reason}.",
    "Stop the program that uses it, or choose another port: XNAI_PORT={other} make run.",
    seen="Whoever starts the server while another program listens on its port.",
)
SERVER_UNREACHABLE = ErrorKind(
    "server_unreachable",
    Category.COMMAND,
    503,
    "No server answers at {url}.",
    "Start it with `make run`, or set XNAI_HOST and XNAI_PORT to where it is.",
    seen="Whoever runs a command that asks the server, while none runs.",
    retryable=True,
)
SERVER_SAYS = ErrorKind(
    "server_says",
    Category.COMMAND,
    500,
    "{message}",
    "{hint}",
    seen="Whoever runs a command that the server refuses: its own words, and its code in front.",
)
INTERNAL = ErrorKind(
    "internal",
    Category.INTERNAL,
    500,
    "Something went wrong inside XNAi.",
    "Try again; the server's log has the details under this request id.",
    seen="Anybody, where something failed that nobody foresaw; the log has the traceback.",
    retryable=True,
    counts_as_fault=True,
)
EVAL_SET_INVALID = ErrorKind(
    "eval_set_invalid",
    Category.COMMAND,
    500,
    "{path} cannot be evaluated: {problem}.",
    "The formats of questions and documents are shown in docs/evaluation.md.",
    seen="Whoever runs `xnai eval` on a file that is no set of questions or no report.",
)
SERVER_GARBLED = ErrorKind(
    "server_garbled",
    Category.COMMAND,
    502,
    "The program that answers at {url} is not an XNAi server.",
    "Set XNAI_HOST and XNAI_PORT to where it is.",
    seen="Whoever runs a command while another program listens on the port.",
)
FILE_UNREADABLE = ErrorKind(
    "file_unreadable",
    Category.COMMAND,
    400,
    "{path} cannot be used: {reason}.",
    "Check the name, and whether you may read and write there.",
    seen="Whoever names a file in a command that cannot be opened or written.",
)
COMMAND_FAILED = ErrorKind(
    "command_failed",
    Category.INTERNAL,
    500,
    "The command failed in a way that nobody foresaw ({fault} in {where}).",
    "That is a fault of XNAi: report it with these words.",
    seen="Whoever runs a command that comes upon such a fault.",
)
AUDIT_UNWRITABLE = ErrorKind(
    "audit_unwritable",
    Category.STORAGE,
    500,
    "The audit log {path} cannot be written: {reason}.",
    "Questions are answered all the same. Free some space, or set XNAI_AUDIT_LOG to a file that "
    "can be written; lines that wait are written then.",
    seen="Whoever looks at /health/ready or the log while the audit log cannot be written.",
)
