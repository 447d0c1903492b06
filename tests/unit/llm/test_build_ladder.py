"""Which builds are tried on which processor."""

import pytest

from xnai.llm.build import ladder
from xnai.llm.build.ladder import named, steps
from xnai.llm.build.record import Installed

SSE = frozenset({"fpu", "sse2", "sse4_2"})
HASWELL = SSE | {"avx", "avx2", "fma", "f16c", "bmi2"}
ICELAKE = HASWELL | {"avx512f", "avx512_vnni"}
SAPPHIRE = ICELAKE | {"avx_vnni", "amx_tile", "amx_int8", "amx_bf16"}


@pytest.mark.parametrize(
    ("flags", "machine", "expected"),
    [
        (SAPPHIRE, "x86_64", ["native", "native-no-amx", "avx2", "baseline"]),
        (ICELAKE, "x86_64", ["native", "avx2", "baseline"]),
        (HASWELL, "x86_64", ["native", "baseline"]),
        (HASWELL | {"avx_vnni"}, "AMD64", ["native", "avx2", "baseline"]),
        (SSE, "x86_64", ["native", "baseline"]),
        (frozenset(), "x86_64", ["native", "baseline"]),
        (frozenset({"asimd", "sve"}), "aarch64", ["native", "armv8-a"]),
        (frozenset(), "arm64", ["native", "armv8-a"]),
        (frozenset(), "riscv64", ["native", "baseline"]),
    ],
)
def test_every_processor_has_its_builds_the_fastest_first(flags, machine, expected):
    assert expected == [step.name for step in steps(flags, machine)]


def test_the_last_build_of_an_old_processor_has_no_vectors_at_all():
    old, newer = steps(frozenset({"fpu"}), "x86_64")[-1], steps(SSE, "x86_64")[-1]

    assert "-DGGML_SSE42=OFF" in old.options
    assert "-DGGML_SSE42=OFF" not in newer.options


def test_a_build_says_why_it_is_not_a_faster_one():
    failed = (("AVX-512 with AMX", "crashed in its self-test (SIGSEGV)"),)
    made = Installed("native-no-amx", "k", "m", "AVX-512 without AMX", failed=failed)

    assert (
        "built for AVX-512 without AMX: the build for AVX-512 with AMX crashed in its self-test "
        "(SIGSEGV)" == made.told
    )


def test_a_build_that_cannot_run_here_is_refused_with_those_that_can(monkeypatch):
    monkeypatch.setattr(ladder, "cpu_flags", lambda: HASWELL)
    monkeypatch.setattr(ladder.platform, "machine", lambda: "x86_64")

    assert "avx2" == named("avx2").name
    with pytest.raises(ValueError, match=r"here it is one of native, baseline, avx2, dynamic$"):
        named("native-no-amx")
