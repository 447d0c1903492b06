"""Every error a user or a client can meet: code, HTTP status, message and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One row of the error table; ``message`` and ``hint`` are format strings."""

    code: str
    status: int
    message: str
    hint: str
    retryable: bool = False


class XnaiError(Exception):
    """An error with a stable code and words a user can act on.

    Args:
        kind: the row of the error table.
        retry_after: seconds after which another try makes sense, if known.
        **values: what the message and the hint name.

    """

    def __init__(
        self, kind: ErrorKind, *, retry_after: float | None = None, **values: object
    ) -> None:
        self.kind = kind
        self.retry_after = retry_after
        self.values: Mapping[str, object] = values
        self.message = kind.message.format_map(values)
        self.hint = kind.hint.format_map(values)
        super().__init__(f"{self.message} {self.hint}".strip())

    @property
    def code(self) -> str:
        """The stable code of the error."""
        return self.kind.code


SETTING_INVALID = ErrorKind(
    "setting_invalid",
    500,
    "{name}={value!r} is not valid: {problem}.",
    "Correct it in the environment or in .env; docs/settings.md lists every setting.",
)
EXPOSED_WITHOUT_KEYS = ErrorKind(
    "exposed_without_keys",
    500,
    "XNAI_HOST={host} would let other machines in without a key.",
    "Set one first: XNAI_API_KEYS=$(python3 -c 'import secrets; print(secrets.token_urlsafe(24))') "
    "make run, or listen on 127.0.0.1.",
)

DATA_DIR_UNUSABLE = ErrorKind(
    "data_dir_unusable",
    500,
    "XNAI_DATA_DIR={folder} cannot be written: {reason}.",
    "Choose a folder you may write to.",
)

PORT_TAKEN = ErrorKind(
    "port_taken",
    500,
    "{host}:{port} cannot be listened on: {reason}.",
    "Stop the program that uses it, or choose another port: XNAI_PORT={other} make run.",
)

SERVER_UNREACHABLE = ErrorKind(
    "server_unreachable",
    503,
    "No server answers at {url}.",
    "Start it with `make run`, or set XNAI_HOST and XNAI_PORT to where it is.",
    retryable=True,
)
SERVER_SAYS = ErrorKind("server_says", 500, "{message}", "{hint}")

# Requests
BAD_REQUEST = ErrorKind("bad_request", 400, "{problem}", "{fix}")
NOT_FOUND = ErrorKind(
    "not_found", 404, "There is no {what} {name!r}.", "Check the address or the id."
)
METHOD_NOT_ALLOWED = ErrorKind(
    "method_not_allowed", 405, "{method} is not possible on {path}.", "Use {allowed}."
)
UNAUTHORIZED = ErrorKind(
    "unauthorized",
    401,
    "The API key is missing or wrong.",
    "Send `Authorization: Bearer <key>` with one of XNAI_API_KEYS.",
)
FORBIDDEN = ErrorKind(
    "forbidden",
    403,
    "This API key may look at the circuit breakers, but not change them.",
    "Use the first key of XNAI_API_KEYS, which is the operator's.",
)
BODY_TOO_LARGE = ErrorKind(
    "body_too_large",
    413,
    "The request is larger than {limit_mb} MB.",
    "Send less at once; long texts belong into a file (POST /v1/files).",
)
HOST_NOT_ALLOWED = ErrorKind(
    "host_not_allowed",
    421,
    "This server does not answer to the host name {host!r}.",
    "Open http://127.0.0.1:{port}, or add the name to XNAI_ALLOWED_HOSTS.",
)
ORIGIN_NOT_ALLOWED = ErrorKind(
    "origin_not_allowed",
    403,
    "The page at {origin!r} may not use this server.",
    "Open the server's own page, or add its host name to XNAI_ALLOWED_HOSTS.",
)
INTERNAL = ErrorKind(
    "internal",
    500,
    "Something went wrong inside XNAi.",
    "Try again; the server's log has the details under this request id.",
    retryable=True,
)

# Questions
QUESTION_EMPTY = ErrorKind(
    "question_empty", 400, "The question is empty.", "Type what you want to know."
)
QUESTION_TOO_LONG = ErrorKind(
    "question_too_long",
    400,
    "The question has {tokens} tokens; the model takes {limit} beside its answer.",
    "Shorten it, or put the text into a file and attach that.",
)
QUEUE_FULL = ErrorKind(
    "queue_full",
    429,
    "{waiting} questions are already waiting for the model.",
    "Try again in a moment.",
    retryable=True,
)
ANSWER_TIMEOUT = ErrorKind(
    "answer_timeout",
    504,
    "The answer was not finished within {seconds:.0f} seconds.",
    "Ask for less, or raise XNAI_ANSWER_TIMEOUT.",
    retryable=True,
)
SHUTTING_DOWN = ErrorKind(
    "shutting_down", 503, "The server is shutting down.", "Try again in a moment.", retryable=True
)

# The model
MODEL_PREPARING = ErrorKind(
    "model_preparing",
    503,
    "The language model's engine is still being compiled ({detail}).",
    "Answers can be generated as soon as it is ready; documents can be searched now.",
    retryable=True,
)
MODEL_LOADING = ErrorKind(
    "model_loading",
    503,
    "The language model did not load in the time that the question had.",
    "It goes on loading: ask again in a moment, or raise XNAI_ANSWER_TIMEOUT.",
    retryable=True,
)
MODEL_DOWN = ErrorKind(
    "model_down",
    503,
    "The language model is not running: {reason}.",
    "It is started again by itself; documents can still be searched.",
    retryable=True,
)
MODEL_CRASHED = ErrorKind(
    "model_crashed",
    503,
    "The language model stopped in the middle of the answer: {reason}.",
    "It is being started again; ask once more.",
    retryable=True,
)
MODEL_NOT_FOUND = ErrorKind(
    "model_not_found",
    404,
    "There is no model {name!r}.",
    "Put a GGUF file into {folder} or choose one of: {available}.",
)
MODEL_NOT_GGUF = ErrorKind(
    "model_not_gguf",
    400,
    "{name!r} is not a GGUF file.",
    "Download the model in GGUF format and put that file into the models folder.",
)
MODEL_TRUNCATED = ErrorKind(
    "model_truncated",
    400,
    "{name!r} is incomplete: it has {actual} of at least {expected} bytes.",
    "Download the file again.",
)
MODEL_TOO_LARGE = ErrorKind(
    "model_too_large",
    400,
    "{name!r} needs about {needed} of memory; {available} is free.",
    "Choose a smaller model or a smaller XNAI_CONTEXT, or close other programs.",
)
MODEL_UNSUPPORTED = ErrorKind(
    "model_unsupported",
    400,
    "{name!r} could not be loaded: {reason}.",
    "Choose another GGUF; this build may be too old for the model's architecture.",
)
BUNDLED_MODEL_UNUSABLE = ErrorKind(
    "bundled_model_unusable",
    503,
    "The bundled model cannot be used: {reason}.",
    "Run `make setup` again, or put another GGUF file into {folder} and name it in XNAI_MODEL.",
)
MODEL_PAUSED = ErrorKind(
    "model_paused",
    503,
    "The language model is not asked at the moment: {reason}.",
    "It is tried again by itself; documents can still be searched.",
    retryable=True,
)
PROMPT_REFUSED = ErrorKind(
    "prompt_refused",
    400,
    "The model's chat template refuses this conversation: {reason}.",
    "Start a new chat, or choose another model.",
)
GRAMMAR_INVALID = ErrorKind(
    "grammar_invalid",
    400,
    "The answer cannot be bound to this {form}: {reason}.",
    "Correct or simplify it, or leave it out.",
)
ENGINE_BUILD_FAILED = ErrorKind(
    "engine_build_failed",
    503,
    "The language model's engine could not be compiled: {reason}.",
    "{fix} The build is tried again at the next start.",
)

# Model endpoints (XNAI_LLM_URL); ``endpoint`` is host and port, nothing else of the address
REMOTE_UNREACHABLE = ErrorKind(
    "remote_unreachable",
    503,
    "The model endpoint {endpoint} cannot be reached: {reason}.",
    "Check that it runs and that XNAI_LLM_URL names it; documents can still be searched.",
    retryable=True,
)
REMOTE_CONNECT_TIMEOUT = ErrorKind(
    "remote_connect_timeout",
    504,
    "The model endpoint {endpoint} did not accept a connection within {seconds:g} seconds.",
    "Check the network and XNAI_LLM_URL, or raise XNAI_LLM_CONNECT_TIMEOUT.",
    retryable=True,
)
REMOTE_FIRST_TOKEN_TIMEOUT = ErrorKind(
    "remote_first_token_timeout",
    504,
    "The model endpoint {endpoint} did not begin to answer within {seconds:g} seconds.",
    "Try again or ask for less; raise XNAI_LLM_FIRST_TOKEN_TIMEOUT if it is a slow machine.",
    retryable=True,
)
REMOTE_STALLED = ErrorKind(
    "remote_stalled",
    504,
    "The model endpoint {endpoint} fell silent for {seconds:g} seconds during the answer.",
    "Ask once more; raise XNAI_LLM_TOKEN_TIMEOUT if it is a slow machine.",
    retryable=True,
)
REMOTE_BROKE_OFF = ErrorKind(
    "remote_broke_off",
    502,
    "The model endpoint {endpoint} ended the answer too early: {reason}.",
    "Ask once more; if that happens again, the log of that server says why.",
    retryable=True,
)
REMOTE_GARBLED = ErrorKind(
    "remote_garbled",
    502,
    "The model endpoint {endpoint} does not answer as an OpenAI-compatible server does: {problem}.",
    "Check that XNAI_LLM_URL is the address of such a server.",
)
REMOTE_KEY_REFUSED = ErrorKind(
    "remote_key_refused",
    502,
    "The model endpoint {endpoint} refuses the key (HTTP {status}).",
    "Set XNAI_LLM_API_KEY to a key of that server.",
)
REMOTE_MODEL_UNKNOWN = ErrorKind(
    "remote_model_unknown",
    404,
    "The model endpoint {endpoint} has no model {name!r}.",
    "Choose one of: {available}. XNAI_LLM_MODEL sets the default.",
)
REMOTE_BUSY = ErrorKind(
    "remote_busy",
    429,
    "The model endpoint {endpoint} has as many questions as it takes.",
    "Try again in a moment.",
    retryable=True,
)
REMOTE_REFUSED = ErrorKind(
    "remote_refused",
    502,
    "The model endpoint {endpoint} refused the request (HTTP {status}).",
    "The log of that server says why.",
)
REMOTE_PAUSED = ErrorKind(
    "remote_paused",
    503,
    "The model endpoint {endpoint} is not asked at the moment: {reason}.",
    "It is tried again by itself; documents can still be searched.",
    retryable=True,
)
REMOTE_ALL_DOWN = ErrorKind(
    "remote_all_down",
    503,
    "None of the {count} model endpoints can answer ({reasons}).",
    "Check that they run and that XNAI_LLM_URL names them; documents can still be searched.",
    retryable=True,
)
# After these an answer can still be had: from another endpoint, or from the passages alone.
REMOTE_AWAY = (
    REMOTE_UNREACHABLE,
    REMOTE_CONNECT_TIMEOUT,
    REMOTE_FIRST_TOKEN_TIMEOUT,
    REMOTE_STALLED,
    REMOTE_BROKE_OFF,
    REMOTE_GARBLED,
    REMOTE_KEY_REFUSED,
    REMOTE_MODEL_UNKNOWN,
    REMOTE_BUSY,
    REMOTE_REFUSED,
    REMOTE_PAUSED,
    REMOTE_ALL_DOWN,
)

# Documents
FILE_EMPTY = ErrorKind("file_empty", 400, "{name!r} is empty.", "Attach a file with content.")
FILE_TOO_LARGE = ErrorKind(
    "file_too_large",
    413,
    "{name!r} is larger than {limit_mb} MB.",
    "Split the file, or raise XNAI_UPLOAD_MAX_MB.",
)
TOO_MANY_FILES = ErrorKind(
    "too_many_files",
    400,
    "{count} files are more than the {limit} that are accepted at once.",
    "Attach fewer files, or raise {setting}.",
)
FILE_TYPE_UNSUPPORTED = ErrorKind(
    "file_type_unsupported",
    415,
    "{name!r} is not a document that can be read ({found}).",
    "Attach PDF, DOCX, PPTX, XLSX, HTML, Markdown, text or CSV.",
)
FILE_ENCRYPTED = ErrorKind(
    "file_encrypted",
    422,
    "{name!r} is protected with a password.",
    "Save a copy without the password and attach that.",
)
FILE_DAMAGED = ErrorKind(
    "file_damaged",
    422,
    "{name!r} is damaged or incomplete: {reason}.",
    "Open it in its own program, save it again, and attach the new file.",
)
FILE_NO_TEXT = ErrorKind(
    "file_no_text",
    422,
    "{name!r} has no text, only pictures (a scan?).",
    "Install the program tesseract (Debian, Ubuntu: sudo apt install tesseract-ocr), which reads "
    "pictures of text, and attach it again; or attach a copy that has text.",
)
FILE_TEXT_TOO_LONG = ErrorKind(
    "file_text_too_long",
    413,
    "{name!r} holds more than {limit:,} characters of text.",
    "Attach the part you need, or raise XNAI_DOCUMENT_MAX_CHARACTERS.",
)
FILE_TOO_EXPENSIVE = ErrorKind(
    "file_too_expensive",
    422,
    "Reading {name!r} took more {resource} than the {limit} allowed.",
    "The file may be damaged or built to exhaust the machine; attach a simpler copy.",
)
DOCUMENT_BUSY = ErrorKind(
    "document_busy",
    409,
    "{name!r} is still being read.",
    "Ask again when it is processed.",
    retryable=True,
)
DOCUMENT_DELETED = ErrorKind(
    "document_deleted",
    404,
    "{name!r} was deleted while it was being read.",
    "Attach it again if it is still needed.",
)
DOCUMENT_FAILED = ErrorKind(
    "document_failed",
    422,
    "{name!r} could not be read: {reason}",
    "Leave it out, or delete it and upload a readable copy.",
)
DOCUMENTS_TOO_LONG = ErrorKind(
    "documents_too_long",
    413,
    "These documents have {count:,} passages; a question about whole documents reads {limit:,}.",
    "Choose fewer documents, or ask about something in them.",
)
SEARCH_DOWN = ErrorKind(
    "search_down",
    503,
    "The documents cannot be searched: {reason}.",
    "Try again; if it stays so, look at /health/ready.",
    retryable=True,
)
SEARCH_PAUSED = ErrorKind(
    "search_paused",
    503,
    "The {part} is not asked at the moment: {reason}.",
    "It is tried again by itself.",
    retryable=True,
)
EMBEDDING_MODEL_MISSING = ErrorKind(
    "embedding_model_missing",
    503,
    "The embedding model cannot be used: {reason}.",
    "Run `make run` again; it installs the model's files.",
)
INDEX_DAMAGED = ErrorKind(
    "index_damaged",
    503,
    "The document index {path} cannot be read: {reason}.",
    "Nothing was deleted. Stop XNAi, put a backup in its place or move the file away, "
    "start again and attach the documents anew.",
)
DISK_FULL = ErrorKind(
    "disk_full",
    507,
    "The disk is full: {folder} has {free} left.",
    "Free some space, or set XNAI_DATA_DIR to a larger disk.",
)

MODEL_FOLDER_INVALID = ErrorKind(
    "model_folder_invalid",
    503,
    "{setting}={path} cannot be used: {problem}.",
    "Name a folder with model.onnx, tokenizer.json and config.json, or unset it for the bundled "
    "model.",
)
EVAL_SET_INVALID = ErrorKind(
    "eval_set_invalid",
    500,
    "{path} cannot be evaluated: {problem}.",
    "docs/evaluation.md shows the formats of questions and documents.",
)

# Parts of the server as /health/ready sees them
PART_SILENT = ErrorKind(
    "part_silent",
    503,
    "The part {part} has not answered for {seconds:.0f} s.",
    "It is asked again by itself; if it stays so, look at its disk and at the server's log.",
    retryable=True,
)
PART_FAILED = ErrorKind(
    "part_failed",
    503,
    "The part {part} does not work: {reason}.",
    "It is asked again by itself; the server's log says more.",
    retryable=True,
)
DISK_LOW = ErrorKind(
    "disk_low",
    507,
    "The disk of XNAI_DATA_DIR has {free} left.",
    "Free some space, or set XNAI_DATA_DIR to a larger disk.",
)
HISTORY_DOWN = ErrorKind(
    "history_down",
    503,
    "Conversations cannot be saved: {reason}.",
    "Answers go on; type `xnai doctor` to see what is wrong with the file.",
    retryable=True,
)
REDIS_AWAY = ErrorKind(
    "redis_away",
    503,
    "Redis cannot be asked: {reason}.",
    "It is tried again by itself; until then this replica finds out alone what is sick.",
    retryable=True,
)

# Models from a hub, and their copies
HUB_NAME_INVALID = ErrorKind(
    "hub_name_invalid",
    400,
    "{name!r} names no model of a hub: {problem}.",
    "Type it as owner/repository, owner/repository:Q4_K_M or owner/repository:file.gguf.",
)
HUB_NOT_FOUND = ErrorKind(
    "hub_not_found",
    404,
    "The hub {hub} has no {name!r} that can be had without a further permission.",
    "Check the name; for a private or gated model accept its terms on the hub and set HF_TOKEN.",
)
HUB_REFUSED = ErrorKind(
    "hub_refused",
    403,
    "The hub {hub} refuses {name!r} (HTTP {status}).",
    "Accept the model's terms on the hub if it has any, and set HF_TOKEN to a token of yours.",
)
HUB_UNREACHABLE = ErrorKind(
    "hub_unreachable",
    503,
    "The hub {hub} cannot be reached or has broken off: {reason}.",
    "Type the same command again: it goes on where it was. HF_ENDPOINT names another hub.",
    retryable=True,
)
HUB_GARBLED = ErrorKind(
    "hub_garbled",
    502,
    "The hub {hub} does not say what it must of {name!r}: {problem}.",
    "Check HF_ENDPOINT, or download the file by hand and put it into the models folder.",
)
HUB_NO_CHOICE = ErrorKind(
    "hub_no_choice",
    404,
    "{name!r} has no such GGUF file.",
    "Choose one with {repository}:FILE out of: {available}.",
)
HUB_CHECKSUM_WRONG = ErrorKind(
    "hub_checksum_wrong",
    502,
    "{name!r} did not arrive as the hub {hub} describes it: its sha256 differs.",
    "It was deleted. Type the same command again; if it fails twice, the hub's file is damaged.",
    retryable=True,
)
MODEL_EXISTS = ErrorKind(
    "model_exists",
    409,
    "{path} is there already and is another file.",
    "Move it away, or have it replaced with --yes.",
)
DOWNLOAD_RUNNING = ErrorKind(
    "download_running",
    409,
    "{name!r} is being downloaded by another program already.",
    "Wait for it.",
    retryable=True,
)
DISK_TOO_SMALL = ErrorKind(
    "disk_too_small",
    507,
    "{name!r} needs {needed}; the disk of {folder} has {free} left.",
    "Free some space, or set XNAI_MODELS_DIR to a folder on a larger disk.",
)
OPTIMISE_FAILED = ErrorKind(
    "optimise_failed",
    500,
    "No copy of {name!r} could be made for this machine: {reason}.",
    "The model itself is untouched; type `xnai doctor` to see whether the engine works.",
)

FOLDER_UNUSABLE = ErrorKind(
    "folder_unusable",
    500,
    "{folder} cannot be used: {reason}.",
    "Choose a folder that you may write to.",
)
# Backups
BACKUP_PLACE_TAKEN = ErrorKind(
    "backup_place_taken",
    409,
    "{path} is there already; nothing was written.",
    "Name a new folder, or move that one away first.",
)
BACKUP_INVALID = ErrorKind(
    "backup_invalid",
    400,
    "{path} cannot be used: {reason}.",
    "Name a folder that `xnai backup` has made, or the data folder of a server in XNAI_DATA_DIR.",
)

CATALOGUE: Mapping[str, ErrorKind] = {
    kind.code: kind for kind in list(globals().values()) if isinstance(kind, ErrorKind)
}
