"""One server with doors, and one book of where errors were made."""

import importlib.util
import sys

import pytest
from fault_server import COMMAND, Book, make_server
from paths import SUPPORT


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """Where errors are made, in this process and in all that it starts."""
    path = SUPPORT / "faults" / "recorder" / "sitecustomize.py"
    spec = importlib.util.spec_from_file_location("error_recorder", path)
    recorder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recorder)
    book = Book(tmp_path_factory.mktemp("book") / "sites")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in book.environment.items():
            patch.setenv(name, value)
        undo = recorder.watch(book.note)
        yield book
        undo()
    book.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory, book):
    environment = {"XNAI_UPLOAD_MAX_FILES": "1"}
    running = make_server(tmp_path_factory.mktemp("server"), book, **environment)
    running.start(COMMAND)
    running.wait(model="ready", status="ready")
    yield running
    running.stop()


@pytest.fixture
def tell(capsys):
    """Say a figure, whether the test passes or not."""

    def say(line):
        with capsys.disabled():
            sys.stdout.write(f"\n{line}")

    return say
