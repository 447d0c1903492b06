"""Makes a model the default.

The choice goes into ``.env``, where every other setting is looked for and found: a file of its own
in the data folder would be a second place that says the same, and one of the two would win.
"""

import os
from pathlib import Path

from dotenv import set_key

from xnai.client import Client
from xnai.errors import SERVER_UNREACHABLE, SETTING_INVALID, XnaiError
from xnai.llm.gguf.catalogue import ModelFile, ModelFiles
from xnai.settings import PREFIX, Settings

VARIABLE = f"{PREFIX}MODEL"
ENV_FILE = Path(".env")


def use(settings: Settings, name: str) -> list[str]:
    """Have the next starts, and the server that runs, use a model; returns what was done.

    Raises:
        XnaiError: there is no such model, it cannot be loaded, or .env cannot be written.

    """
    file = write_default(settings, name)
    done = [f"{file.name} is the default of the next starts ({VARIABLE} in {ENV_FILE.absolute()})."]
    if is_overridden(file.name):
        done.append(f"But {VARIABLE}={os.environ[VARIABLE]} is set here and comes first: unset it.")
    return [*done, _switch(settings, file.name)]


def write_default(settings: Settings, name: str) -> ModelFile:
    """Have the next starts use a model.

    Raises:
        XnaiError: there is no such model, it cannot be loaded, or .env cannot be written.

    """
    files = ModelFiles(settings)
    file = files.find(name)
    files.plan(file, files.inspect(file))
    try:
        set_key(ENV_FILE, VARIABLE, file.name, quote_mode="auto", follow_symlinks=True)
    except (OSError, ValueError) as exc:
        problem = f"{ENV_FILE.absolute()} cannot be changed ({type(exc).__name__})"
        raise XnaiError(SETTING_INVALID, name=VARIABLE, value=file.name, problem=problem) from exc
    return file


def is_overridden(name: str) -> bool:
    """Whether the environment names another model, which comes before what is written."""
    return os.environ.get(VARIABLE, name) != name


def _switch(settings: Settings, name: str) -> str:
    try:
        Client(settings).use_model(name)
    except XnaiError as exc:
        if exc.kind is SERVER_UNREACHABLE:
            return "No server runs, so there is none to switch."
        return f"The server that runs stays as it is: {exc.message}"
    return "The server that runs uses it now."
