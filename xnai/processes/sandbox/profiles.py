"""What each kind of child needs of this machine; everything else is taken from it."""

import json
import os
import re
import site
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import xnai

# Shared libraries and what a libc reads; all of it is the same on every machine of a kind.
_SYSTEM = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/nix/store",
    "/gnu/store",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/localtime",
    "/etc/mime.types",
    "/usr/share/locale",
    "/usr/share/zoneinfo",
    "/dev/null",
    "/dev/urandom",
    "/dev/zero",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/self",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
)
_CARDS = ("nvidia*", "dri/*", "kfd")
_GPU_LIBRARIES = ("/usr/local/cuda", "/opt/rocm", "/opt/intel", "/proc/driver", "/sys/bus/pci")
_TRAINED = (  # where tesseract keeps its languages
    "/usr/share/tesseract-ocr",
    "/usr/share/tessdata",
    "/usr/share/tesseract",
    "/usr/local/share/tessdata",
)
_OFFICE = (  # what LibreOffice reads of the system, and where its folders lead to
    "/etc/fonts",
    "/etc/libreoffice",
    "/usr/local/share/fonts",
    "/usr/share/fontconfig",
    "/usr/share/fonts",
    "/usr/share/libreoffice",
    "/usr/share/mime",
    "/var/cache/fontconfig",
    "/var/lib/libreoffice",
    "/var/spool/libreoffice",
)
_LOADER = re.compile(rb"(/[\w./+-]{0,200}/ld-[\w.-]{1,80})\0")
_HEAD = 4096  # bytes; a program names its loader there


@dataclass(frozen=True, slots=True)
class Profile:
    """What a child may do; nothing of it reaches the network, other processes or other files.

    Attributes:
        read: files and folders that it may read.
        descriptors: open files that it may open again, as ``/proc/self/fd/N``.
        write: folders in which it may do as it likes.
        execute: programs that it may become.
        devices: files of devices that it may control, such as those of graphics cards.

    """

    read: tuple[str, ...] = ()
    descriptors: tuple[int, ...] = ()
    write: tuple[str, ...] = ()
    execute: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()

    def to_json(self) -> str:
        """As an argument of a program."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Profile":
        """Read the argument."""
        return cls(**{name: tuple(value) for name, value in json.loads(text).items()})


def parser(descriptors: Iterable[int]) -> Profile:
    """For the reader of one document: the document, as an open file, and Python."""
    return Profile(read=(*_SYSTEM, *_python()), descriptors=tuple(descriptors))


def model(path: str, *, gpu: bool = False, write: tuple[str, ...] = ()) -> Profile:
    """For a process that runs a model, or writes a copy of one: the model's files and Python.

    Args:
        path: the model's file.
        gpu: whether the engine was built for a graphics card, which it may then control.
        write: folders that it writes into.

    """
    read = (*_SYSTEM, *_python(), *_parts(path))
    if not gpu:
        return Profile(read=read, write=write)
    cards = [str(card) for pattern in _CARDS for card in sorted(Path("/dev").glob(pattern))]
    return Profile(read=(*read, *_GPU_LIBRARIES), write=write, devices=tuple(cards))


def converter(program: str, folder: str) -> Profile:
    """For a program that turns one file into another, with a folder of its own for scratch."""
    path = Path(program).resolve()
    beside = (path.parent.parent / "lib", path.parent.parent / "share" / "tessdata")
    trained = os.environ.get("TESSDATA_PREFIX", "")
    read = (*_SYSTEM, *_TRAINED, *map(str, beside), *filter(None, (trained,)))
    return Profile(read=(*read, str(path)), write=(folder,), execute=(str(path), *_loader(path)))


def office(program: str, folder: str) -> Profile:
    """For LibreOffice as a library of Python: its own files, fonts, and a folder for scratch.

    Args:
        program: the folder of its libraries.
        folder: the one that it may write into.

    """
    return Profile(
        read=(*_SYSTEM, *_python(), *_OFFICE, str(Path(program).parent)), write=(folder,)
    )


def probe(program: str, folder: str) -> Profile:
    """As ``converter``, for Python, which tries from inside what a converter could do."""
    plain = converter(program, folder)
    return Profile(read=(*plain.read, *_python()), write=plain.write, execute=plain.execute)


def _python() -> tuple[str, ...]:
    """The interpreter's folders, those of packages, and ours; not the folder that ours lies in."""
    own = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
    libraries = [Path(prefix, name) for prefix in own for name in ("lib", "lib64")]
    places = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib")]
    packages = [Path(entry) for entry in (*sys.path, site.getusersitepackages())]
    packages = [entry for entry in packages if entry.name in {"site-packages", "dist-packages"}]
    ours = Path(xnai.__file__).parent
    configured = Path(sys.prefix, "pyvenv.cfg")
    return tuple(map(str, dict.fromkeys([*libraries, *places, *packages, configured, ours])))


def _parts(path: str) -> list[str]:
    """A model's file, or all files of one that is split."""
    whole = Path(path)
    pattern = re.sub(r"-\d{5}-of-", "-?????-of-", re.sub(r"([\[*?])", "[\\1]", whole.name))
    return [path, *(str(part) for part in whole.parent.glob(pattern))]


def _loader(program: Path) -> list[str]:
    """What the kernel starts a program with."""
    try:
        with program.open("rb") as file:
            return [os.fsdecode(found) for found in _LOADER.findall(file.read(_HEAD))]
    except OSError:
        return []
