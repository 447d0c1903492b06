"""Lets one fault after the other through every door that what people do passes."""

import importlib
import time

from borders import BORDERS, CATALOGUED, FUNCTIONS
from doors import points
from fault_server import at_rest, door, seen
from steps import PAGE, PROGRAM, Judge, Visit

GROWING = frozenset({"Model.complete", "Pipeline.answer", "Library.ingest", "ParserRun.pages"})
QUICK = 0.06  # seconds; so short steps are walked with every fault

# Doors that no request passes, and why.
AT_START = frozenset(
    {
        *("Index.start", "Index.use", "Embedder.start", "Embedder.wanted", "Library.start"),
        *(
            "Index.unowned",
            "Files.clean",
            "Pictures.clean",
            "Model.start",
            "Model.on_load",
            "Library.on_processed",
        ),
    }
)
# Doors that the bundled model never opens: whole texts are for models that answer over them. What
# comes of a fault there is in tests/unit/answering/test_reader.py.
OF_LARGER_MODELS = frozenset(
    {"Index.pages", "Library.pages", "Library.page_text", "Embedder.embed_lines"}
)
NO_REQUEST = {
    "Index.give": "of an earlier version's documents, at the start: test_rights_carried_over.py",
    "Index.begin_reembedding": "of a change of the embedding model, in the background",
    "Index.put_next": "the same",
    "Index.switch": "the same",
    "Index.texts": "the same",
    "Index.without_codes": "of indexes that an earlier version filled, in the background",
    "Index.put_codes": "the same",
    "Index.add_checksums": "the same",
    "Index.change": "of files that are missing, in the background, see tests/attacks/test_data.py",
    "Library.look": "the same",
    "Files.take_back": "of a record that cannot be deleted, which is a fault itself",
    "Library.all_documents": "of agents, see test_mcp.py",
    "Pipeline.verify": "the same",
    "Index.check": "of what /health/ready knows, see test_health_hung.py",
    "History.check": "the same",
    "Index.count": "of a question about thousands of passages, see test_fault_cases.py",
    "Embedder.serve_until_switched": "of a change of the embedding model",
    "Embedder.switch": "the same",
    "Embedder.follow": "of a model that has come, in the background: test_embedder_fetched.py",
    "Embedder.settled": "of `xnai eval`, which waits for it",
    "Library.reading_paused": "the same",
    "Embedder.ready": "the same",
    "Library.search": "of programs that import the library",
    "Search.search": "the same",
    "Index.close": "at the end, when nobody asks any more",
    "Embedder.close": "the same",
    "Library.close": "the same",
    "Model.close": "the same",
    "History.close": "the same",
    "Steps.close_open": "at the start after a crash, by the first who opens the history",
    "Steps.favorites": "of a feature of Chainlit that is switched off",
    "Steps.delete_element": "Chainlit's, of elements that XNAi never takes back",
}


def all_points():
    """Every door but those of values in memory."""
    found = []
    for part, (module, name, _) in BORDERS.items():
        cls = getattr(importlib.import_module(module), name)
        found += [f"{part}.{p}" for p in points(cls) if not isinstance(getattr(cls, p), property)]
    return {*found, *FUNCTIONS} - set(NO_REQUEST)


class Walk:
    def __init__(self, server, client):
        self.client = client
        self.judge = Judge()
        self.visit = Visit(server, client, self.judge)
        self.covered = set()
        self.reach = {}  # by door: the steps that pass it, with the seconds they take

    async def explore(self):
        """Do everything once without a fault, and see which doors it passes."""
        for step in (*PROGRAM, *PAGE):
            began = time.monotonic()
            state = await self._run(step, "", "")
            seconds = time.monotonic() - began
            for point in state["calls"]:
                self.reach.setdefault(point, []).append((seconds, step))

    async def go(self):
        for point in sorted(all_points() & set(self.reach)):
            steps = sorted(self.reach[point], key=lambda found: found[0])
            program = [found for found in steps if found[1] in PROGRAM]
            page = [step for _, step in steps if step in PAGE]
            chosen = [step for seconds, step in program if seconds < QUICK][:3]
            chosen = chosen or [step for _, step in program[:1]]
            for fault in self.faults(point):
                for step in chosen or page[:1]:
                    await self._run(step, point, fault)
            if point in GROWING:
                for step in [*chosen[:1], *page[:1]]:
                    await self._run(step, point, "runtime", later=True)
            for step in page[:1] if chosen else ():
                await self._run(step, point, "runtime")
        for step in (*PROGRAM, *PAGE):  # and all is well afterwards
            await self._run(step, "", "")

    def faults(self, point):
        """What is let in at a door: everything, or three where each takes its time."""
        own = CATALOGUED.get(point.partition(".")[0], "search")
        quick = any(seconds < QUICK for seconds, _ in self.reach.get(point, ()))
        return [own, "runtime", "full", *(("timeout", "memory") if quick else ())]

    async def _run(self, step, point, fault, later=False):
        judge = self.judge
        judge.where = f"{step.__name__}, {point or 'no door'} {fault}"
        before = judge.codes
        judge.codes = set()
        doing = step(self.visit)
        await anext(doing)
        counted = (await door(self.client, point, fault, later))["errors"]
        try:
            await anext(doing)
        finally:
            state = await seen(self.client)
            await door(self.client)
        try:
            rest = await at_rest(self.client)
        except AssertionError as exc:
            judge.blame(str(exc))
            rest = state
        for code in judge.codes:
            if not rest["errors"].get(code, 0) > counted.get(code, 0):
                judge.blame(f"{code} was told and not counted")
        async for _ in doing:
            pass
        if point and not state["hits"]:
            judge.blame("the fault was not met")
        elif point:
            self.covered.add((point, fault))
        judge.codes = before | judge.codes
        return state
