"""Model endpoints (XNAI_LLM_URL); ``endpoint`` is host and port, nothing else of the address."""

from xnai.errors._kinds import Category, ErrorKind, Instead

REMOTE_UNREACHABLE = ErrorKind(
    "remote_unreachable",
    Category.ENDPOINT,
    503,
    "The model endpoint {endpoint} cannot be reached: {reason}.",
    "Check that it runs and that XNAI_LLM_URL names it; documents can still be searched.",
    seen="Whoever asks while the only endpoint refuses connections.",
    retryable=True,
    counts_as_fault=True,
    heals_soon=True,
    retry_elsewhere=True,
    degrade_to=Instead.PASSAGES,
)
REMOTE_CONNECT_TIMEOUT = ErrorKind(
    "remote_connect_timeout",
    Category.ENDPOINT,
    504,
    "The model endpoint {endpoint} did not accept a connection within {seconds:g} seconds.",
    "Check the network and XNAI_LLM_URL, or raise XNAI_LLM_CONNECT_TIMEOUT.",
    seen="Whoever asks while the only endpoint does not accept connections in time.",
    retryable=True,
    counts_as_fault=True,
    heals_soon=True,
    retry_elsewhere=True,
    degrade_to=Instead.PASSAGES,
)
REMOTE_FIRST_TOKEN_TIMEOUT = ErrorKind(
    "remote_first_token_timeout",
    Category.ENDPOINT,
    504,
    "The model endpoint {endpoint} did not begin to answer within {seconds:g} seconds.",
    "Try again or ask for less; raise XNAI_LLM_FIRST_TOKEN_TIMEOUT if it is a slow machine.",
    seen="Whoever waits for an endpoint that has taken the question and says nothing.",
    retryable=True,
    counts_as_fault=True,
    retry_elsewhere=True,
    degrade_to=Instead.PASSAGES,
)
REMOTE_STALLED = ErrorKind(
    "remote_stalled",
    Category.ENDPOINT,
    504,
    "The model endpoint {endpoint} fell silent for {seconds:g} seconds during the answer.",
    "Ask once more; raise XNAI_LLM_TOKEN_TIMEOUT if it is a slow machine.",
    seen="Whoever is reading an answer when its endpoint falls silent.",
    retryable=True,
    counts_as_fault=True,
    retry_elsewhere=True,
    degrade_to=Instead.PASSAGES,
)
REMOTE_BROKE_OFF = ErrorKind(
    "remote_broke_off",
    Category.ENDPOINT,
    502,
    "The model endpoint {endpoint} ended the answer too early: {reason}.",
    "Ask once more; if that happens again, the log of that server says why.",
    seen="Whoever is reading an answer when its endpoint hangs up.",
    retryable=True,
    counts_as_fault=True,
    heals_soon=True,
    retry_elsewhere=True,
    degrade_to=Instead.PASSAGES,
)
REMOTE_GARBLED = ErrorKind(
    "remote_garbled",
    Category.ENDPOINT,
    502,
    "The model endpoint {endpoint} does not answer as an OpenAI-compatible server does: {problem}.",
    "Check that XNAI_LLM_URL is the address of such a server.",
    seen="Whoever asks while an address of `XNAI_LLM_URL` is that of something else.",
    counts_as_fault=True,
    retry_elsewhere=True,
    degrade_to=Instead.PASSAGES,
)
REMOTE_KEY_REFUSED = ErrorKind(
    "remote_key_refused",
    Category.ENDPOINT,
    502,
    "The model endpoint {endpoint} refuses the key (HTTP {status}).",
    "Set XNAI_LLM_API_KEY to a key of that server.",
    seen="Whoever asks while `XNAI_LLM_API_KEY` is not the endpoint's.",
    counts_as_fault=True,
    retry_elsewhere=True,
    degrade_to=Instead.PASSAGES,
)
REMOTE_MODEL_UNKNOWN = ErrorKind(
    "remote_model_unknown",
    Category.ENDPOINT,
    404,
    "The model endpoint {endpoint} has no model {name!r}.",
    "Choose one of: {available}. XNAI_LLM_MODEL sets the default.",
    seen="Whoever names a model that no endpoint has.",
    retry_elsewhere=True,
    degrade_to=Instead.PASSAGES,
)
REMOTE_BUSY = ErrorKind(
    "remote_busy",
    Category.OVERLOAD,
    429,
    "The model endpoint {endpoint} has as many questions as it can take.",
    "Try again in a moment.",
    seen="Whoever asks while every endpoint refuses for want of room.",
    retryable=True,
    heals_soon=True,
    retry_elsewhere=True,
    degrade_to=Instead.PASSAGES,
)
REMOTE_REFUSED = ErrorKind(
    "remote_refused",
    Category.ENDPOINT,
    502,
    "The model endpoint {endpoint} refused the request (HTTP {status}).",
    "The log of that server says why.",
    seen="Whoever asks something that the endpoint refuses for another reason.",
    retry_elsewhere=True,
    degrade_to=Instead.PASSAGES,
)
REMOTE_PAUSED = ErrorKind(
    "remote_paused",
    Category.ENDPOINT,
    503,
    "The model endpoint {endpoint} is not asked at the moment: {reason}.",
    "It is tried again by itself; documents can still be searched.",
    seen="A program that asks while the endpoint's breaker is open; the page shows passages.",
    retryable=True,
    retry_elsewhere=True,
    degrade_to=Instead.PASSAGES,
)
REMOTE_ALL_DOWN = ErrorKind(
    "remote_all_down",
    Category.ENDPOINT,
    503,
    "All {count} model endpoints fail: {reasons}.",
    "Check that they run and that XNAI_LLM_URL names them; documents can still be searched.",
    seen="A program that asks while no endpoint can answer; the page shows passages.",
    retryable=True,
    retry_elsewhere=True,
    degrade_to=Instead.PASSAGES,
)
