"""Files that people bring, and the documents made of them."""

from xnai.errors._kinds import Category, ErrorKind

FILE_EMPTY = ErrorKind(
    "file_empty",
    Category.DOCUMENT,
    400,
    "{name!r} is empty.",
    "Attach a file with content.",
    seen="Whoever attaches a file without content.",
)
FILE_TOO_LARGE = ErrorKind(
    "file_too_large",
    Category.DOCUMENT,
    413,
    "{name} is larger than {limit_mb} MB.",
    "Split the file, or raise XNAI_UPLOAD_MAX_MB.",
    seen="Whoever attaches a file above `XNAI_UPLOAD_MAX_MB`.",
)
TOO_MANY_FILES = ErrorKind(
    "too_many_files",
    Category.DOCUMENT,
    400,
    "{count:,} files are more than the {limit:,} that {setting} allows.",
    "Attach fewer, delete what is not needed any more, or raise {setting}.",
    seen="Whoever attaches more files than a message, or an owner, may have.",
)
FILE_TYPE_UNSUPPORTED = ErrorKind(
    "file_type_unsupported",
    Category.DOCUMENT,
    415,
    "{name!r} is not a document that can be read ({found}).",
    "Attach a PDF, a Word, Excel, PowerPoint or OpenDocument file, RTF, HTML, EPUB, e-mail, "
    "Markdown, text, CSV, JSON or XML, a scan or photo, or a ZIP archive of such files.",
    seen="Whoever attaches a program, a video or the like.",
)
FILE_ENCRYPTED = ErrorKind(
    "file_encrypted",
    Category.DOCUMENT,
    422,
    "{name!r} is protected with a password.",
    "Save a copy without the password and attach that.",
    seen="Whoever attaches a file that asks for a password.",
)
FILE_DAMAGED = ErrorKind(
    "file_damaged",
    Category.DOCUMENT,
    422,
    "{name!r} is damaged or incomplete: {reason}.",
    "Open it in its own program, save it again, and attach the new file.",
    seen="Whoever attaches a file that its reader cannot make sense of.",
)
FILE_NO_TEXT = ErrorKind(
    "file_no_text",
    Category.DOCUMENT,
    422,
    "{name!r} has no text, only pictures (a scan?).",
    "Attach a copy that has text, or a sharper scan (300 dots an inch); or install the program "
    "tesseract (Debian, Ubuntu: sudo apt install tesseract-ocr), and attach it again.",
    seen="Whoever attaches pictures in which no text can be read.",
)
FILE_TEXT_TOO_LONG = ErrorKind(
    "file_text_too_long",
    Category.DOCUMENT,
    413,
    "{name!r} holds more than {limit:,} characters of text.",
    "Attach the part you need, or raise XNAI_DOCUMENT_MAX_CHARACTERS.",
    seen="Whoever attaches a file with more text than `XNAI_DOCUMENT_MAX_CHARACTERS`.",
)
FILE_TOO_EXPENSIVE = ErrorKind(
    "file_too_expensive",
    Category.DOCUMENT,
    422,
    "Reading {name!r} took more {resource} than the {limit} that are allowed.",
    "The file may be damaged or built to exhaust the machine; attach a simpler copy.",
    seen="Whoever attaches a file that takes its reader too much time or memory.",
)
DOCUMENT_BUSY = ErrorKind(
    "document_busy",
    Category.DOCUMENT,
    409,
    "{name!r} is still being read.",
    "Ask again once it has been read.",
    seen="A program that asks from a document before it was read.",
    retryable=True,
)
DOCUMENT_DELETED = ErrorKind(
    "document_deleted",
    Category.DOCUMENT,
    404,
    "{name!r} was deleted while it was being read.",
    "Attach it again if it is still needed.",
    seen="Whoever attached a document that was deleted while it was being read.",
)
DOCUMENT_FAILED = ErrorKind(
    "document_failed",
    Category.DOCUMENT,
    422,
    "A document that was asked about could not be read: {reason}.",
    "Leave it out, or delete it and upload a readable copy.",
    seen="A program that asks from a document that could not be read.",
)
DOCUMENT_MISSING = ErrorKind(
    "document_missing",
    Category.DOCUMENT,
    410,
    "The file of {name!r} is missing: {reason}.",
    "It comes back by itself when the file does. Put the file back or mount its disk, attach it "
    "again, or remove what is gone for good with `xnai documents prune`.",
    seen="Whoever opens a document, or looks at the list, while its original file is not there or "
    "was changed.",
)
DOCUMENTS_AWAY = ErrorKind(
    "documents_away",
    Category.STORAGE,
    503,
    "No document can be added: {reason}.",
    "Mount the disk or put the folder back. If it is gone for good, `xnai documents prune` begins "
    "a new one.",
    seen="Whoever attaches a file while the folder of the documents is not there or not mounted.",
    retryable=True,
)
DOCUMENTS_TOO_LONG = ErrorKind(
    "documents_too_long",
    Category.DOCUMENT,
    413,
    "These documents have {count:,} {unit}; a question about whole documents reads {limit:,}.",
    "Choose fewer documents, or ask about something in them.",
    seen="Whoever asks for a summary of more than can be read whole.",
)
UPLOADS_WAITING = ErrorKind(
    "uploads_waiting",
    Category.DOCUMENT,
    413,
    "Too many files are waiting in this chat.",
    "Send them first, then attach the next.",
    seen="Whoever attaches more than `XNAI_UPLOAD_MAX_FILES` of the largest files before sending.",
)
