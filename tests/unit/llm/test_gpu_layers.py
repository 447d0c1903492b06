"""How many layers a GPU is given, and what is said of it; no GPU is needed for that."""

import pytest

from xnai.llm.engine.status import with_gpu
from xnai.llm.gguf.layers import layers_that_fit, tries
from xnai.llm.ipc import Ready
from xnai.llm.protocol import EngineStatus, ModelStatus

GB = 1_000_000_000


@pytest.mark.parametrize(
    ("free", "layers", "size", "fit"),
    [
        (24 * GB, 29, 2 * GB, 29),
        (2 * GB, 28, 4 * GB, 11),  # 1.7 GB are left for layers of a seventh of a GB each
        (GB // 4, 29, 2 * GB, 0),
        (0, 29, 2 * GB, 29),  # one that does not say is tried with all
    ],
)
def test_as_many_layers_as_its_memory_holds_go_to_a_gpu(free, layers, size, fit):
    assert fit == layers_that_fit(free, layers, size)


def test_what_does_not_fit_after_all_is_tried_with_ever_fewer_layers_and_at_last_none():
    assert [29, 14, 7, 3, 1, 0] == list(tries(29))
    assert [0] == list(tries(0))


@pytest.mark.parametrize(
    ("used", "words"),
    [
        (0, ""),
        (29, "; a GPU computes 29 of 29 layers"),
        (14, "14 of 29 layers, for more it has no"),
    ],
)
def test_how_much_a_gpu_computes_is_said(used, words):
    status = ModelStatus("ready", "m", 0.0, engine=EngineStatus("native", "passed", "built for X"))
    told = with_gpu(status, Ready(512, 1, 1, used, 29)).engine.detail

    assert told.startswith("built for X")
    assert words in told
    assert bool(words) is (told != "built for X")
