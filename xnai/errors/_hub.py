"""Models fetched from a hub, and copies made of them."""

from xnai.errors._kinds import Category, ErrorKind

HUB_NAME_INVALID = ErrorKind(
    "hub_name_invalid",
    Category.COMMAND,
    400,
    "{name!r} names no model of a hub: {problem}.",
    "Type it as owner/repository, owner/repository:Q4_K_M or owner/repository:file.gguf.",
    seen="Whoever types such a name after `xnai models get`.",
)
HUB_NOT_FOUND = ErrorKind(
    "hub_not_found",
    Category.COMMAND,
    404,
    "The hub {hub} has no {name!r} that can be had without a further permission.",
    "Check the name; for a private or gated model accept its terms on the hub and set HF_TOKEN.",
    seen="Whoever fetches a model that the hub does not have, or does not show to everybody.",
)
HUB_REFUSED = ErrorKind(
    "hub_refused",
    Category.ACCESS,
    403,
    "The hub {hub} refuses {name!r} (HTTP {status}).",
    "Accept the model's terms on the hub if it has any, and set HF_TOKEN to a token of yours.",
    seen="Whoever fetches a model without the right to it.",
)
HUB_UNREACHABLE = ErrorKind(
    "hub_unreachable",
    Category.COMMAND,
    503,
    "The hub {hub} cannot be reached or has broken off: {reason}.",
    "Type the same command again: it goes on where it was. HF_ENDPOINT names another hub.",
    seen="Whoever fetches a model while the network or the hub is gone.",
    retryable=True,
)
HUB_GARBLED = ErrorKind(
    "hub_garbled",
    Category.COMMAND,
    502,
    "The hub {hub} does not say what it must of {name!r}: {problem}.",
    "Check HF_ENDPOINT, or download the file by hand and put it into the models folder.",
    seen="Whoever fetches a model from a server that does not speak as a hub does.",
)
HUB_NO_CHOICE = ErrorKind(
    "hub_no_choice",
    Category.COMMAND,
    404,
    "{name!r} has no such GGUF file.",
    "Choose one with {repository}:FILE out of: {available}.",
    seen="Whoever fetches a repository that has no such file, or several to choose from.",
)
HUB_CHECKSUM_WRONG = ErrorKind(
    "hub_checksum_wrong",
    Category.COMMAND,
    502,
    "{name!r} did not arrive as the hub {hub} describes it: its sha256 differs.",
    "It was deleted. Type the same command again; if it fails twice, the hub's file is damaged.",
    seen="Whoever fetches a model that changed on the way.",
    retryable=True,
)
MODEL_EXISTS = ErrorKind(
    "model_exists",
    Category.COMMAND,
    409,
    "{path} is there already and is another file.",
    "Move it away, or have it replaced with --yes.",
    seen="Whoever fetches a model under the name of another file.",
)
DOWNLOAD_RUNNING = ErrorKind(
    "download_running",
    Category.COMMAND,
    409,
    "{name!r} is being downloaded by another program already.",
    "Wait for it.",
    seen="Whoever fetches a model that is being fetched already.",
    retryable=True,
)
DISK_TOO_SMALL = ErrorKind(
    "disk_too_small",
    Category.STORAGE,
    507,
    "{name!r} needs {needed}; the disk of {folder} has {free} left.",
    "Free some space, or set XNAI_MODELS_DIR to a folder on a larger disk.",
    seen="Whoever fetches or copies a model for which the disk has no room.",
)
OPTIMISE_FAILED = ErrorKind(
    "optimise_failed",
    Category.MODEL,
    500,
    "No copy of {name!r} could be made for this machine: {reason}.",
    "The model itself is untouched; type `xnai doctor` to see whether the engine works.",
    seen="Whoever runs `xnai models optimize` on a model that cannot be requantised or loaded.",
)
FOLDER_UNUSABLE = ErrorKind(
    "folder_unusable",
    Category.STORAGE,
    500,
    "{folder} cannot be used: {reason}.",
    "Choose a folder that you may write to.",
    seen="Whoever runs `xnai models get` or `xnai backup` into a folder that cannot be used.",
)
