import pytest

from xnai.llm.build.log import BuildLog


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log(tmp_path, clock):
    made = BuildLog(tmp_path / "logs" / "build.log", clock)
    yield made
    made.close()


def test_progress_is_read_from_ninja(log):
    log.add("  [7/83] /usr/bin/g++ -c ggml.cpp")

    assert (7, 83) == (log.done, log.total)


def test_other_brackets_are_no_progress(log):
    log.add("note: see [3/4] of the manual")

    assert (0, 0) == (log.done, log.total)


def test_the_remaining_time_follows_the_pace_so_far(log, clock):
    log.add("[1/11] a")
    clock.now += 8
    log.add("[5/11] b")

    assert 12.0 == log.eta_seconds


def test_one_file_makes_no_estimate(log):
    log.add("[1/11] a")

    assert log.eta_seconds is None


def test_the_whole_log_is_kept_in_the_file(log):
    log.add("first")
    log.add("second")

    assert "first\nsecond\n" == log.path.read_text()


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        ("g++: fatal error: Killed signal terminated program cc1plus", 1, "memory"),
        ("c++: internal compiler error: Killed (program cc1plus)", 1, "memory"),
        ("cc1plus: out of memory allocating 65536 bytes", 1, "memory"),
        ("ninja: error: mkdir(x): No space left on device", 1, "disk is full"),
        ("OSError: [Errno 28] No space left on device", 2, "disk is full"),
        ("Failed to establish a new connection: NewConnectionError", 1, "could not be fetched"),
        ("Temporary failure in name resolution", 1, "could not be fetched"),
        ("ERROR: No matching distribution found for llama-cpp-python", 1, "does not have"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES FROM THE", 1, "not the ones that were pinned"),
        ("No CMAKE_CXX_COMPILER could be found.", 1, "compiler does not work"),
        ("fatal error: stdlib.h: No such file or directory", 1, "compiler does not work"),
        ("", 137, "killed it"),
        ("ggml.cpp:3:1: error: expected ';'", 1, "error: expected ';'"),
        ("the last words", 1, "the last words"),
    ],
)
def test_the_cause_of_a_failure_is_understood(log, line, code, reason):
    log.add("-- Configuring done")
    log.add(line)

    found = log.cause(code)

    assert reason in found.reason
    assert found.fix.endswith(".")


def test_the_first_error_is_told_and_not_its_consequences(log):
    log.add("a.cpp:1:1: error: the cause")
    log.add("ninja: error: build stopped: subcommand failed.")

    assert "the cause" in log.cause(1).reason


def test_what_a_compiler_prints_is_cut_to_a_line_for_people(log):
    log.add("a.cpp:1:1: error: " + "x" * 5000)

    assert len(log.cause(1).reason) < 400


def test_only_what_the_compiler_says_of_the_sources_is_held_against_the_build(log):
    log.add("[7/83] c++ -c ggml.cpp")
    log.add("{standard input}:31: Error: no such instruction: `tdpbssd %tmm1,%tmm2,%tmm0'")
    refused = log.cause(1)
    log.begin()
    log.add("pip had a bad day")
    other = log.cause(1)

    assert (True, False) == (refused.of_sources, other.of_sources)
