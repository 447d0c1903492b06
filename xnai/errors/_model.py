"""The local language model, from its file to its process."""

from xnai.errors._kinds import Category, ErrorKind, Instead

MODEL_PREPARING = ErrorKind(
    "model_preparing",
    Category.MODEL,
    503,
    "The language model's engine is still being compiled ({detail}).",
    "Answers can be generated as soon as it is ready; documents can be searched now.",
    seen="A program that asks before the engine is compiled; the page shows passages.",
    retryable=True,
    degrade_to=Instead.PASSAGES,
)
MODEL_LOADING = ErrorKind(
    "model_loading",
    Category.MODEL,
    503,
    "The language model was not loaded within the time that an answer may take.",
    "It is still loading: ask again in a moment, or raise XNAI_ANSWER_TIMEOUT.",
    seen="A program whose time ran out while the model loaded; the page shows passages.",
    retryable=True,
    degrade_to=Instead.PASSAGES,
)
MODEL_DOWN = ErrorKind(
    "model_down",
    Category.MODEL,
    503,
    "The language model is not running: {reason}.",
    "It is started again by itself; documents can still be searched.",
    seen="A program that asks between a crash of the model and its restart; the page shows "
    "passages.",
    retryable=True,
    counts_as_fault=True,
    retry_elsewhere=True,
    degrade_to=Instead.PASSAGES,
)
MODEL_CRASHED = ErrorKind(
    "model_crashed",
    Category.MODEL,
    503,
    "The language model stopped in the middle of the answer: {reason}.",
    "It is being started again; ask once more.",
    seen="Whoever was reading an answer when the model's process died; twice, if nothing was "
    "shown yet.",
    retryable=True,
    counts_as_fault=True,
    degrade_to=Instead.PASSAGES,
)
QUESTION_KILLED_MODEL = ErrorKind(
    "question_killed_model",
    Category.MODEL,
    422,
    "The language model crashed on this very question: {reason}.",
    "This question is not tried again; ask for something else, or for less at once.",
    seen="Whoever asks what the model's process dies of; other questions are answered again "
    "as soon as it is back.",
    degrade_to=Instead.PASSAGES,
)
MODEL_NOT_FOUND = ErrorKind(
    "model_not_found",
    Category.MODEL,
    404,
    "There is no model {name!r}.",
    "Put a GGUF file into {folder}, fetch one with `xnai models get`, or choose one of: "
    "{available}.",
    seen="Whoever names a model, in a request or in `XNAI_MODEL`, that is not there.",
    degrade_to=Instead.PASSAGES,
)
MODEL_NOT_GGUF = ErrorKind(
    "model_not_gguf",
    Category.MODEL,
    400,
    "{name!r} is not a GGUF file.",
    "Download the model in GGUF format and put that file into the models folder.",
    seen="Whoever chooses a file that is no model.",
    degrade_to=Instead.PASSAGES,
)
MODEL_TRUNCATED = ErrorKind(
    "model_truncated",
    Category.MODEL,
    400,
    "{name!r} is incomplete: it has {actual} of at least {expected} bytes.",
    "Download the file again.",
    seen="Whoever chooses a file whose download broke off.",
    degrade_to=Instead.PASSAGES,
)
MODEL_TOO_LARGE = ErrorKind(
    "model_too_large",
    Category.MODEL,
    400,
    "{name!r} needs about {needed} of memory; {available} is free.",
    "Choose a smaller model or a smaller XNAI_CONTEXT, or close other programs.",
    seen="Whoever chooses a model for which there is not enough memory.",
    degrade_to=Instead.PASSAGES,
)
MODEL_UNSUPPORTED = ErrorKind(
    "model_unsupported",
    Category.MODEL,
    400,
    "{name!r} could not be loaded: {reason}.",
    "Choose another GGUF; this build may be too old for the model's architecture.",
    seen="Whoever chooses a model that llama.cpp, or its chat template, refuses.",
    degrade_to=Instead.PASSAGES,
)
BUNDLED_MODEL_UNUSABLE = ErrorKind(
    "bundled_model_unusable",
    Category.MODEL,
    503,
    "The bundled model cannot be used: {reason}.",
    "Run `make setup` again, or put another GGUF file into {folder} and name it in XNAI_MODEL.",
    seen="Whoever uses the bundled model after its package was damaged or removed.",
    degrade_to=Instead.PASSAGES,
)
MODEL_PAUSED = ErrorKind(
    "model_paused",
    Category.MODEL,
    503,
    "The language model is not asked at the moment: {reason}.",
    "It is tried again by itself; documents can still be searched.",
    seen="A program that asks while the model's breaker is open; the page shows passages.",
    retryable=True,
    degrade_to=Instead.PASSAGES,
)
PROMPT_REFUSED = ErrorKind(
    "prompt_refused",
    Category.MODEL,
    400,
    "The model's chat template refuses this conversation: {reason}.",
    "Start a new chat, or choose another model.",
    seen="Whoever sends a conversation that the model's chat template does not take.",
)
GRAMMAR_INVALID = ErrorKind(
    "grammar_invalid",
    Category.MODEL,
    400,
    "The answer cannot be bound to this {form}: {reason}.",
    "Correct or simplify it, or leave it out.",
    seen="A program that binds the answer to a schema or grammar that cannot be followed.",
)
ENGINE_BUILD_FAILED = ErrorKind(
    "engine_build_failed",
    Category.MODEL,
    503,
    "The language model's engine could not be compiled: {reason}.",
    "{fix} The build is tried again at the next start.",
    seen="A program that asks after the engine could not be compiled; the page shows passages.",
    degrade_to=Instead.PASSAGES,
)
