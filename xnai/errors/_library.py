"""Libraries of documents: how they are called, and how many there may be."""

from xnai.errors._kinds import Category, ErrorKind

LIBRARY_NAME_EMPTY = ErrorKind(
    "library_name_empty",
    Category.DOCUMENT,
    400,
    "The library has no name.",
    "Give it a name that says what is in it.",
    seen="Whoever makes or renames a library and types nothing that can be seen.",
)
LIBRARY_NAME_TOO_LONG = ErrorKind(
    "library_name_too_long",
    Category.DOCUMENT,
    400,
    "The name of the library has {count:,} characters; at most {limit} are kept.",
    "Choose a shorter name.",
    seen="Whoever gives a library a name that is a text.",
)
LIBRARY_NAME_UNSEEN = ErrorKind(
    "library_name_unseen",
    Category.DOCUMENT,
    400,
    "The name of the library has a character that cannot be seen, such as a mark that turns the "
    "direction of the text ({character}).",
    "Type the name anew instead of pasting it.",
    seen="Whoever gives a library a name that would look like another one.",
)
LIBRARY_NAME_TAKEN = ErrorKind(
    "library_name_taken",
    Category.DOCUMENT,
    409,
    "You have a library called {name!r} already.",
    "Choose another name, or use the library that there is.",
    seen="Whoever gives two libraries one name, also in other letters or spaces.",
)
LIBRARIES_TOO_MANY = ErrorKind(
    "libraries_too_many",
    Category.DOCUMENT,
    400,
    "You have {limit:,} libraries, which is as many as one person may have.",
    "Delete one that is not needed any more.",
    seen="A program that makes a library for everything.",
)
LIBRARY_EXPIRED = ErrorKind(
    "library_expired",
    Category.REQUEST,
    410,
    "The library {name!r} has expired: it was not used for {time}.",
    "Its documents are all there. Set `expires_after` anew to have it searched again.",
    seen="A program that asks a library whose time, which a program has set, is over.",
)
SYNC_FOLDER_UNUSABLE = ErrorKind(
    "sync_folder_unusable",
    Category.DOCUMENT,
    503,
    "The folder {folder} cannot be kept in step with a library: {reason}.",
    "Mount its disk, put it back or let XNAi read it. Nothing of it was deleted from the library.",
    seen="Whoever has a library kept in step with a folder that is not there, not mounted, or "
    "closed to the program.",
    retryable=True,
)
IGNORE_FILE_UNREADABLE = ErrorKind(
    "ignore_file_unreadable",
    Category.DOCUMENT,
    422,
    "{path} cannot be used: {reason}.",
    "Put it right, in the form of a .gitignore file. Until then nothing is taken from the folder.",
    seen="Whoever has a folder kept in step whose list of what is left out cannot be read.",
)
