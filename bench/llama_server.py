"""Builds llama-server from the sources of our engine, with the same cure for AMX.

    python bench/llama_server.py FOLDER

prints the program's path, for LLAMA_SERVER of serving.py. The sources come from the package
registry, pinned as in locks/engine.lock; FOLDER keeps them and the build.
"""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADER = ROOT / "xnai" / "llm" / "build" / "amx_tileconfig.h"
OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DLLAMA_CURL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_SERVER=ON",
    "-DLLAMA_BUILD_TOOLS=ON",
    f"-DCMAKE_C_FLAGS=-include {HEADER}",
    f"-DCMAKE_CXX_FLAGS=-include {HEADER}",
)


def main() -> None:
    """Fetch, compile, say where it is."""
    folder = Path(sys.argv[1]).resolve()
    tools, sources, build = folder / "tools", folder / "sources", folder / "build"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    hashed = ["--no-deps", "--require-hashes"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(tools),
        "PATH": f"{tools / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }

    def run(*command: object) -> None:
        subprocess.run([str(part) for part in command], check=True, env=environment)

    if not tools.exists():
        lock = ROOT / "locks" / "engine-build.lock"
        run(*pip, "install", *hashed, "--only-binary", ":all:", "--target", tools, "-r", lock)
    if not sources.exists():
        lock = ROOT / "locks" / "engine.lock"
        run(*pip, "download", *hashed, "--no-build-isolation", "-d", folder, "-r", lock)
        with tarfile.open(next(folder.glob("llama_cpp_python-*.tar.gz"))) as archive:
            archive.extractall(sources, filter="data")
    llama = next(sources.glob("*/vendor/llama.cpp"))
    run("cmake", "-G", "Ninja", "-S", llama, "-B", build, *OPTIONS)
    run("cmake", "--build", build, "--target", "llama-server")
    print(build / "bin" / "llama-server")


if __name__ == "__main__":
    main()
