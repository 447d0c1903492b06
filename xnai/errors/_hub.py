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
    "The hub {hub} has no {name!r}, or shows it only to those who have permission.",
    "Check the name; for a private or gated model accept its terms on the hub and set HF_TOKEN.",
    seen="Whoever fetches a model that the hub does not have, or does not show to everybody.",
    other_source=True,
)
HUB_REFUSED = ErrorKind(
    "hub_refused",
    Category.ACCESS,
    403,
    "The hub {hub} refuses {name!r} (HTTP {status}).",
    "Accept the model's terms on the hub if it has any, and set HF_TOKEN to a token of yours.",
    seen="Whoever fetches a model without the right to it.",
    other_source=True,
)
HUB_UNREACHABLE = ErrorKind(
    "hub_unreachable",
    Category.COMMAND,
    503,
    "The hub {hub} cannot be reached or has broken off: {reason}.",
    "Type the same command again: it goes on where it was. HF_ENDPOINT names another hub.",
    seen="Whoever fetches a model while the network or the hub is gone.",
    retryable=True,
    other_source=True,
)
HUB_GARBLED = ErrorKind(
    "hub_garbled",
    Category.COMMAND,
    502,
    "The hub {hub} gives no usable description of {name!r}: {problem}.",
    "Check HF_ENDPOINT, or download the file by hand and put it into the models folder.",
    seen="Whoever fetches a model from a server that does not speak as a hub does.",
    other_source=True,
)
HUB_NO_CHOICE = ErrorKind(
    "hub_no_choice",
    Category.COMMAND,
    404,
    "{name!r} does not say which GGUF file is meant.",
    "Choose one with {repository}:FILE out of: {available}.",
    seen="Whoever fetches a repository that has no such file, or several to choose from.",
)
HUB_CHECKSUM_WRONG = ErrorKind(
    "hub_checksum_wrong",
    Category.COMMAND,
    502,
    "{name!r} did not arrive as the hub {hub} describes it: its sha256 differs.",
    "The download was deleted. Type the same command again; if it fails twice, the hub's file is "
    "damaged.",
    seen="Whoever fetches a model that changed on the way.",
    retryable=True,
)
MODEL_UNKNOWN = ErrorKind(
    "model_unknown",
    Category.COMMAND,
    404,
    "The catalogue has no model {name!r}.",
    "Choose one of {known}, or type owner/repository for any other of a hub.",
    seen="Whoever fetches a model under a name that the catalogue does not have.",
)
MODEL_UNAVAILABLE = ErrorKind(
    "model_unavailable",
    Category.COMMAND,
    503,
    "{name!r} cannot be fetched now: {reasons}.",
    "All else works on. `xnai models get {name}` goes on where it was.",
    seen="Whoever fetches a model while neither its hub nor the package registry gives it.",
    retryable=True,
)
CARRIER_UNREACHABLE = ErrorKind(
    "carrier_unreachable",
    Category.COMMAND,
    503,
    "The package {project} {version} could not be fetched: {reason}.",
    "Check that pip reaches a package registry on this machine; what has arrived is kept.",
    seen="Whoever fetches a model while the package registry is away or has its data no more.",
    retryable=True,
    other_source=True,
)
CARRIER_WRONG = ErrorKind(
    "carrier_wrong",
    Category.COMMAND,
    502,
    "The package {project} {version} is not the one that is known: {reason}.",
    "Nothing of it was used. Try another package registry, or put the model's file into the models "
    "folder by hand.",
    seen="Whoever fetches a model from a registry whose package was exchanged or damaged.",
    other_source=True,
)
SELF_TEST_FAILED = ErrorKind(
    "self_test_failed",
    Category.MODEL,
    500,
    "{name!r} does not answer as it should on this machine: {reason}.",
    "The model in use stays. Choose another one of `xnai models list`.",
    seen="Whoever waits for a model that was fetched and did not pass its self-test.",
)
MODEL_EXISTS = ErrorKind(
    "model_exists",
    Category.COMMAND,
    409,
    "{path} exists already and is a different file.",
    "Move it away, or add --yes to have it replaced.",
    seen="Whoever fetches a model under the name of another file.",
)
DOWNLOAD_RUNNING = ErrorKind(
    "download_running",
    Category.COMMAND,
    409,
    "{name!r} is already being downloaded by another command.",
    "Wait until that one is done.",
    seen="Whoever fetches a model that is being fetched already.",
    retryable=True,
)
DISK_TOO_SMALL = ErrorKind(
    "disk_too_small",
    Category.STORAGE,
    507,
    "{name!r} needs {needed}; the disk of {folder} has {free} left.",
    "Free some space, or set XNAI_MODELS_DIR to a folder on a larger disk.",
    seen="Whoever fetches a model, or makes or restores a backup, without room on the disk.",
)
FOLDER_UNUSABLE = ErrorKind(
    "folder_unusable",
    Category.STORAGE,
    500,
    "{folder} cannot be used: {reason}.",
    "Choose a folder that you may write to.",
    seen="Whoever runs `xnai models get` or `xnai backup` into a folder that cannot be used.",
)
