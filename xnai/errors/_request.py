"""Requests that cannot be answered as they are: what was sent, and who sent it."""

from xnai.errors._kinds import Category, ErrorKind

BAD_REQUEST = ErrorKind(
    "bad_request",
    Category.REQUEST,
    400,
    "{problem}",
    "{fix}",
    seen="A program whose request has a field that is missing, of a wrong type or out of range.",
)
NOT_FOUND = ErrorKind(
    "not_found",
    Category.REQUEST,
    404,
    "There is no {what} {name!r}.",
    "Check the address or the id.",
    seen="Whoever names an address, document, page, breaker or conversation that is not "
    "there, or is somebody else's.",
)
METHOD_NOT_ALLOWED = ErrorKind(
    "method_not_allowed",
    Category.REQUEST,
    405,
    "{path} does not take {method}.",
    "Use {allowed}.",
    seen="A program that sends POST where only GET is answered, or the like.",
)
UNAUTHORIZED = ErrorKind(
    "unauthorized",
    Category.ACCESS,
    401,
    "The API key is missing or wrong.",
    "Send `Authorization: Bearer <key>` with one of XNAI_API_KEYS.",
    seen="A program without a key, while the server has keys.",
)
FORBIDDEN = ErrorKind(
    "forbidden",
    Category.ACCESS,
    403,
    "This key may not change what everybody on this server shares: its models and the circuit "
    "breakers.",
    "Ask without naming a model, or use the first key of XNAI_API_KEYS, which is the operator's.",
    seen="Whoever sets a breaker, asks another model than the one in use, or fetches, chooses or "
    "deletes a model, with another key than the first.",
)
BODY_TOO_LARGE = ErrorKind(
    "body_too_large",
    Category.REQUEST,
    413,
    "The request is larger than {limit_mb} MB.",
    "Send less at once; long texts belong in a file (POST /v1/files).",
    seen="A program that sends more in one request than is read.",
)
HOST_NOT_ALLOWED = ErrorKind(
    "host_not_allowed",
    Category.ACCESS,
    421,
    "This server does not answer to the host name {host!r}.",
    "Open http://127.0.0.1:{port}, or add the name to XNAI_ALLOWED_HOSTS.",
    seen="Whoever opens the server by a name that it does not know; also the trap of DNS "
    "rebinding.",
)
ORIGIN_NOT_ALLOWED = ErrorKind(
    "origin_not_allowed",
    Category.ACCESS,
    403,
    "The page at {origin!r} may not use this server.",
    "Open the server's own page, or add its host name to XNAI_ALLOWED_HOSTS.",
    seen="Another site's page that asks this server.",
)
QUESTION_EMPTY = ErrorKind(
    "question_empty",
    Category.REQUEST,
    400,
    "The question is empty.",
    "Type what you want to know.",
    seen="A program that asks nothing.",
)
QUESTION_TOO_LONG = ErrorKind(
    "question_too_long",
    Category.REQUEST,
    400,
    "The question is too long: it has {tokens} tokens (parts of words), and the model can read "
    "{limit} beside its answer.",
    "Shorten it, or put the text into a file and attach that.",
    seen="Whoever asks more than the model can read beside its answer.",
)

# The page
SIGN_IN_NEEDED = ErrorKind(
    "sign_in_needed",
    Category.ACCESS,
    401,
    "You have to be signed in to do this.",
    "Reload the page; if it asks for a key, sign in with yours (one of XNAI_API_KEYS).",
    seen="Whoever uses the page after the cookie or its key has expired, or who gives a wrong key.",
)
SIGN_IN_PAUSED = ErrorKind(
    "sign_in_paused",
    Category.ACCESS,
    429,
    "Too many wrong keys were given from here.",
    "Wait a minute before the next one.",
    seen="Whoever gives ten wrong keys within a minute.",
    retryable=True,
)
CONNECTION_REFUSED = ErrorKind(
    "connection_refused",
    Category.REQUEST,
    400,
    "This connection was refused: {problem}.",
    "Reload the page.",
    seen="A page, or what passes for one, whose socket says something that no page would.",
)
CHAT_CLOSED = ErrorKind(
    "chat_closed",
    Category.REQUEST,
    404,
    "This chat is not open any more.",
    "Reload the page.",
    seen="A page that comes back after its session has ended.",
)
MESSAGE_TOO_LONG = ErrorKind(
    "message_too_long",
    Category.REQUEST,
    413,
    "The message is longer than {limit:,} characters and was not sent.",
    "Put the text into a file and attach that.",
    seen="Whoever pastes a book into the page.",
)
