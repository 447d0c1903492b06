"""llama.cpp behind plain Python calls; imported by the worker process alone."""

import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path

import llama_cpp.llama_cpp as lib

from xnai.llm.build.record import VARIANT_VARIABLE
from xnai.llm.worker.tokenizer import NativeError, Vocabulary

STALE_SECONDS = 600.0
QUANTISATIONS = {
    "Q4_0": lib.LLAMA_FTYPE_MOSTLY_Q4_0,
    "Q4_1": lib.LLAMA_FTYPE_MOSTLY_Q4_1,
    "Q4_K": lib.LLAMA_FTYPE_MOSTLY_Q4_K_M,
    "Q6_K": lib.LLAMA_FTYPE_MOSTLY_Q6_K,
    "Q8_0": lib.LLAMA_FTYPE_MOSTLY_Q8_0,
}


# The folder of the libraries; what is asked of libllama is looked for in those that it needs, too.
# llama_cpp's own handle of libggml is of a second copy of it, which libllama does not know.
_FOLDER = Path(lib.__file__).with_name("lib")
_PARTS = "libggml-cpu-*.so"
GPU_KINDS = (1, 2)  # of enum ggml_backend_dev_type: with memory of its own, or the processor's


def variants() -> dict[str, int]:
    """The CPU parts of a dynamic build with the score each gives this processor, 0: cannot run."""
    found = {}
    for path in sorted(_FOLDER.glob(_PARTS)):
        score = ctypes.CDLL(str(path)).ggml_backend_score
        score.restype = ctypes.c_int
        found[path.stem.removeprefix("libggml-cpu-")] = int(score())
    return found


def load_backends() -> None:
    """Load the parts of a dynamic build, of the CPU's the one named in the environment.

    Does nothing in a build that has its parts linked in.

    Raises:
        NativeError: the part that is named cannot be loaded.

    """
    variant = os.environ.get(VARIANT_VARIABLE, "")
    if not any(_FOLDER.glob(_PARTS)):
        return
    if not variant:
        lib._lib.ggml_backend_load_all_from_path(os.fsencode(_FOLDER))  # noqa: SLF001
        return
    load = lib._lib.ggml_backend_load  # noqa: SLF001
    load.restype = ctypes.c_void_p
    if not load(os.fsencode(_FOLDER / f"libggml-cpu-{variant}.so")):
        raise NativeError(f"the part for {variant} cannot be loaded")
    for path in _FOLDER.glob("libggml-*.so"):  # a GPU's
        if not path.name.startswith(("libggml-cpu", "libggml-base")):
            load(os.fsencode(path))


def has_gpu_part() -> bool:
    """Whether the engine was built for a GPU; loads nothing."""
    cpu = ("libggml-cpu", "libggml-base")
    parts = (path.name for path in _FOLDER.glob("libggml-*.so"))
    return bool(lib.llama_supports_gpu_offload()) or any(not name.startswith(cpu) for name in parts)


def free_gpu_memory() -> int:
    """Bytes that all GPUs have free; 0 where there is none, or it does not say.

    llama_cpp has no functions for devices, so they are called as ggml-backend.h has them.
    """
    find = lib._lib  # noqa: SLF001
    get, memory = find.ggml_backend_dev_get, find.ggml_backend_dev_memory
    find.ggml_backend_dev_count.restype = ctypes.c_size_t
    get.argtypes, get.restype = [ctypes.c_size_t], ctypes.c_void_p
    find.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
    memory.argtypes = [ctypes.c_void_p, *[ctypes.POINTER(ctypes.c_size_t)] * 2]
    memory.restype = None
    total = 0
    for index in range(find.ggml_backend_dev_count()):
        device = get(index)
        if find.ggml_backend_dev_type(device) in GPU_KINDS:
            free, whole = ctypes.c_size_t(), ctypes.c_size_t()
            memory(device, ctypes.byref(free), ctypes.byref(whole))
            total += free.value
    return total


class AbortFlag:
    """A flag that llama.cpp polls between the operations of a step without entering Python.

    The callback that llama.cpp wants is ``bool (*)(void *)``. ``strlen`` over two bytes is just
    that: 0 for an empty string, 1 when the first byte is set. A Python callback would take the
    interpreter lock several hundred times a token.
    """

    def __init__(self) -> None:
        self._bytes = ctypes.create_string_buffer(2)
        libc = ctypes.CDLL("msvcrt") if os.name == "nt" else ctypes.CDLL(None)
        self.callback = ctypes.cast(libc.strlen, lib.ggml_abort_callback)
        self.data = ctypes.cast(self._bytes, ctypes.c_void_p)

    def set(self) -> None:
        """Give up the step under way, and those to come."""
        self._bytes[0] = b"\x01"

    def clear(self) -> None:
        """Let steps run."""
        self._bytes[0] = b"\x00"

    def is_set(self) -> bool:
        """Whether steps are given up."""
        return self._bytes[0] != b"\x00"


class Model:
    """The weights of a model, and what its file says of it.

    Args:
        path: the GGUF.
        on_progress: called with 0 to 1 while the file is read.
        gpu_layers: how many layers go to a GPU.

    Raises:
        NativeError: the file is no model that generates.

    """

    def __init__(
        self, path: Path, on_progress: Callable[[float], None], gpu_layers: int = 0
    ) -> None:
        lib.llama_backend_init()
        params = lib.llama_model_default_params()

        def progress(value: float, _data: object) -> bool:
            on_progress(value)
            return True

        params.n_gpu_layers = gpu_layers
        params.progress_callback = lib.llama_progress_callback(progress)
        self._model = lib.llama_model_load_from_file(os.fsencode(path), params)
        if not self._model:
            raise NativeError("llama.cpp does not accept the file")
        if lib.llama_model_has_encoder(self._model) or lib.llama_model_is_diffusion(self._model):
            raise NativeError("it is not a model that writes text token by token")
        self.vocabulary = Vocabulary(self._model)
        if self.vocabulary.size <= 0 or self._metadata("pooling_type") not in {"", "0"}:
            raise NativeError("it is an embedding model and does not write text")
        self.layers = int(lib.llama_model_n_layer(self._model))
        self.dimensions = int(lib.llama_model_n_embd(self._model))  # of a hidden state
        self.parameters = int(lib.llama_model_n_params(self._model))

    def free(self) -> None:
        """Give its memory back; it is of no use afterwards."""
        lib.llama_model_free(self._model)

    @property
    def pointer(self) -> object:
        """What llama.cpp's own functions take."""
        return self._model

    def _metadata(self, key: str) -> str:
        architecture = self._value("general.architecture")
        return self._value(f"{architecture}.{key}")

    def _value(self, key: str) -> str:
        buffer = ctypes.create_string_buffer(256)
        count = lib.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if count >= 0 else ""

    @property
    def chat_template(self) -> str:
        """The Jinja text in the file; empty if there is none."""
        template = lib.llama_model_chat_template(self._model, None) or b""
        return bytes(template).decode("utf-8", "replace")


def requantise(
    source: Path, target: Path, threads: int, kind: str = "Q8_0", *, pure: bool = False
) -> None:
    """Write a copy of a model stored in another way; ``target`` appears whole or not at all.

    Args:
        source: the GGUF to copy.
        target: where the copy goes.
        threads: CPU threads.
        kind: how weights are stored, a key of ``QUANTISATIONS``.
        pure: store all of them so, also those that llama.cpp would keep finer.

    Raises:
        NativeError: llama.cpp fails, for one because the disk is full.

    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for old in target.parent.glob(f"{target.stem}.*.tmp"):  # left by a run that was killed
        if time.time() - old.stat().st_mtime > STALE_SECONDS:
            old.unlink(missing_ok=True)
    temporary = target.with_suffix(f".{os.getpid()}.tmp")
    params = lib.llama_model_quantize_default_params()
    params.nthread = threads
    params.ftype = QUANTISATIONS[kind]
    params.allow_requantize = True
    params.pure = pure
    try:
        status = lib.llama_model_quantize(
            os.fsencode(source), os.fsencode(temporary), ctypes.byref(params)
        )
        if status != 0:
            raise NativeError(f"llama_model_quantize returned {status}")
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
