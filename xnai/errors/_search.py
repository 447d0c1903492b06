"""What documents are searched with and kept in: embedding model, index, disk."""

from xnai.errors._kinds import Category, ErrorKind, Instead

SEARCH_DOWN = ErrorKind(
    "search_down",
    Category.SEARCH,
    503,
    "The documents cannot be searched: {reason}.",
    "Try again; if it stays so, look at /health/ready.",
    seen="Whoever needs documents while index or embedding model cannot be used.",
    retryable=True,
    degrade_to=Instead.NO_DOCUMENTS,
)
SEARCH_PAUSED = ErrorKind(
    "search_paused",
    Category.SEARCH,
    503,
    "The {part} is not asked at the moment: {reason}.",
    "It is tried again by itself.",
    seen="A program that asks while the breaker of index or embedding model is open.",
    retryable=True,
    degrade_to=Instead.NO_DOCUMENTS,
)
EMBEDDING_MODEL_MISSING = ErrorKind(
    "embedding_model_missing",
    Category.SEARCH,
    503,
    "The embedding model cannot be used: {reason}.",
    "Run `make run` again; it installs the model's files.",
    seen="Whoever needs documents while the embedding model's files are gone or changed.",
    counts_as_fault=True,
    degrade_to=Instead.NO_DOCUMENTS,
)
INDEX_DAMAGED = ErrorKind(
    "index_damaged",
    Category.STORAGE,
    503,
    "The document index {path} cannot be read: {reason}.",
    "Nothing was deleted. Type `xnai doctor`: it says how to have the index made anew from the "
    "documents' files.",
    seen="Whoever needs documents while the index file cannot be read.",
    counts_as_fault=True,
    degrade_to=Instead.NO_DOCUMENTS,
)
DISK_FULL = ErrorKind(
    "disk_full",
    Category.STORAGE,
    507,
    "The disk is full: {folder} has {free} left.",
    "Delete documents or chats that are no longer needed, free some space otherwise, or set "
    "XNAI_DATA_DIR to a larger disk.",
    seen="Whoever attaches a file, or whose conversation is to be saved, while the disk is full.",
    counts_as_fault=True,
)
DATA_READ_ONLY = ErrorKind(
    "data_read_only",
    Category.STORAGE,
    503,
    "{folder} cannot be written: its disk is read-only, or the server's user may not write there.",
    "What is there can be searched and asked all the same. Have the disk mounted for writing again "
    "(after a fault of it the system takes that away) or give the right to write; it goes on by "
    "itself then.",
    seen="Whoever attaches or deletes a document, or whose conversation is to be saved, while the "
    "data folder cannot be written.",
)
MODEL_FOLDER_INVALID = ErrorKind(
    "model_folder_invalid",
    Category.SETTING,
    503,
    "{setting}={path} cannot be used: {problem}.",
    "Name a folder with model.onnx, tokenizer.json and config.json, or unset it for the bundled "
    "model.",
    seen="Whoever starts the server with another embedder or reranker that is no model folder.",
)
HISTORY_DOWN = ErrorKind(
    "history_down",
    Category.STORAGE,
    503,
    "Conversations cannot be saved or opened: {reason}.",
    "Questions are answered all the same; look at the disk and the rights of XNAI_DATA_DIR.",
    seen="Whoever opens, renames, rates or deletes a conversation while its file cannot be used.",
    retryable=True,
)
