"""An environment of a test's own that has all that this one has, but no engine."""

import os
import shutil
import sysconfig
import venv
from pathlib import Path

from paths import ROOT


def make_environment(folder: Path) -> Path:
    """Make it in a folder; returns its interpreter.

    Its packages are the files of this one's, by hard links: through symbolic ones the confined
    processes would leave what they may read.
    """
    place = folder / "venv"
    venv.create(place, symlinks=True)
    own = Path(sysconfig.get_path("purelib", "venv", {"base": str(place)}))
    without = shutil.ignore_patterns("llama_cpp*", "__pycache__")
    packages = sysconfig.get_path("purelib")
    try:
        shutil.copytree(packages, own, dirs_exist_ok=True, ignore=without, copy_function=os.link)
    except (OSError, shutil.Error):  # another file system
        shutil.copytree(packages, own, dirs_exist_ok=True, ignore=without)
    (own / "here.pth").write_text(f"{ROOT}\n")
    return place / "bin" / "python"
