"""The tool that measures the house, on small houses made for it."""

import textwrap

import pytest
from house import House, circles, describe, judge, main


@pytest.fixture
def build(tmp_path):
    def write(**sources: str) -> House:
        for name, source in sources.items():
            path = tmp_path / "xnai" / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source), encoding="utf-8")
        return House(tmp_path)

    return write


def test_folders_and_loose_files_are_rooms(build):
    house = build(errors="", llm__engine__process="", llm__door="")
    assert ["errors", "llm"] == house.rooms


@pytest.mark.parametrize(
    "source",
    [
        "from xnai.ui.page import show",
        "import xnai.ui.page",
        "from xnai import ui",
        "def late():\n    from xnai.ui import page",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from xnai.ui.page import show",
    ],
)
def test_an_arrow_that_points_up_is_an_exception_wherever_the_import_stands(build, source):
    house = build(llm__door=source, ui__page="")
    assert {"ui"} == house.arrows["llm"]
    assert ["llm -> ui"] == house.exceptions()


def test_an_arrow_that_points_down_is_none(build):
    house = build(ui__page="from xnai.llm.door import ask", llm__door="")
    assert {"llm"} == house.arrows["ui"]
    assert [] == house.exceptions()


def test_a_room_on_no_floor_is_an_exception(build):
    assert ["attic stands on no floor"] == build(attic="").exceptions()


def test_circles_are_found_behind_late_imports(build):
    house = build(
        llm__a="from xnai.llm.b import b",
        llm__b="def late():\n    import xnai.llm.c",
        llm__c="from xnai.llm import a",
        llm__d="from xnai.llm import a",
    )
    (circle,) = house.module_circles()
    assert {"xnai.llm.a", "xnai.llm.b", "xnai.llm.c"} == set(circle.split(" <- "))
    assert [] == house.room_circles()


def test_two_circles_are_told_apart():
    assert 2 == len(circles({"a": {"b"}, "b": {"a"}, "c": {"d"}, "d": {"c"}, "e": set()}))


def test_long_files_and_functions_are_told_with_their_lengths(build):
    body = "    pass\n" * 60
    house = build(llm__long=f"async def stretch():\n{body}" + "x = 1\n" * 240)
    assert ["xnai.llm.long: 301"] == house.long_files()
    assert ["xnai.llm.long.stretch: 61"] == house.long_functions()


def test_a_class_name_of_two_modules_means_two_things(build):
    house = build(llm__a="class Step: ...", ui__b="class Step: ...\nclass Page: ...")
    assert ["Step: xnai.llm.a, xnai.ui.b"] == house.ambiguous_classes()


def test_a_file_name_in_two_folders_is_told_unless_it_is_a_convention(build):
    house = build(llm__command="", ui__command="", llm__protocol="", ui__protocol="")
    assert ["command: xnai.llm.command, xnai.ui.command"] == house.shared_file_names()
    assert [] == house.shared_file_names(2)


def test_a_module_without_a_docstring_is_told(build):
    assert ["xnai.aio"] == build(aio="x = 1", net='"""Addresses."""').without_docstring()


VIEW = """
    class AnswerView:
        async def run(self, pipeline, question):
            events = pipeline.answer(question)
            async with aclosing(events) as events:
                async for event in events:
                    pass
"""
PIPELINE = """
    class Pipeline:
        def __init__(self, model):
            self._guard = guarded(lambda: model.complete(1))

        async def answer(self, question):
            async for event in self._passed_on(question):
                yield event

        def _passed_on(self, question) -> AsyncIterator[str]:
            return self._guard

    async def guarded(begin):
        async for event in begin():
            yield event
"""
ENGINE = """
    class Base:
        async def complete(self, question):
            [text async for text in _texts()]
            yield "done"

    class Model(Base):
        async def complete(self, question):
            async for event in other.complete(question):
                yield event

    async def _texts():
        yield "text"

    @asynccontextmanager
    async def held():
        yield
"""


def test_nested_generators_are_followed_from_the_page_to_the_engine(build):
    house = build(
        ui__answer_view="from xnai.answering.pipeline import Pipeline\n" + textwrap.dedent(VIEW),
        answering__pipeline="from xnai.llm.models import Model\n" + textwrap.dedent(PIPELINE),
        llm__models=ENGINE,
    )
    assert house.generator_nests["endpoints"] == [
        "xnai.answering.pipeline:Pipeline.answer",
        "xnai.answering.pipeline:guarded",
        "xnai.llm.models:Base.complete",
        "xnai.llm.models:_texts",
    ]
    assert [] == house.deep_generators()


def test_modules_that_take_no_part_in_a_way_are_not_followed(build):
    house = build(
        ui__answer_view="from xnai.llm.remote import x\n" + textwrap.dedent(VIEW),
        llm__remote="class Router:\n    async def answer(self):\n        yield 1",
    )
    assert [] == house.generator_nests["engine of this machine"]
    assert ["xnai.llm.remote:Router.answer"] == house.generator_nests["endpoints"]


def test_more_nested_generators_than_five_break_the_limit(build):
    chain = "".join(
        f"async def g{n}():\n    async for x in g{n + 1}():\n        yield x\n" for n in range(6)
    )
    house = build(
        ui__answer_view="from xnai.llm.chain import g0\n"
        "class AnswerView:\n    async def run(self):\n        async for x in g0(): pass\n",
        llm__chain=chain,
    )
    assert "engine of this machine: 6" in house.deep_generators()


def test_the_report_draws_rooms_arrows_and_ways(build):
    page = "from xnai.llm.door import ask\n" + textwrap.dedent(VIEW)
    report = [*describe(build(ui__answer_view=page, llm__door=""))]
    assert "2 rooms, 1 arrows, 2 modules" in report
    assert "  10 ui -> llm" in report
    assert "nested generators, engine of this machine: 0" in report


def test_the_check_fails_if_a_limit_is_broken(capsys):
    broken = any(found for _, found in judge(House()))
    assert main(["--check"]) == broken
    assert "circles of rooms: 0" in capsys.readouterr().out
