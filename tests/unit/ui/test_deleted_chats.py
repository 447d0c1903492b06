"""What the end of a session deletes: nothing that its person has not deleted."""

from types import SimpleNamespace
from typing import Any

from xnai.answering.streams import Streams
from xnai.ui.chat import Chat


class Collections:
    def __init__(self) -> None:
        self.deleted: list[str] = []
        self.released: list[str] = []

    async def release(self, collection: str) -> int:
        self.released.append(collection)
        return 0

    async def delete_collection(self, collection: str) -> int:
        self.deleted.append(collection)
        return 1


def chat(library: Collections) -> Chat:
    runtime: Any = SimpleNamespace(
        streams=Streams(),
        library=library,
        libraries=library,
        settings=SimpleNamespace(upload_max_files=5),
        model=None,
    )
    return Chat(runtime, SimpleNamespace())


async def test_a_chat_that_is_not_in_the_history_keeps_its_documents():
    library = Collections()
    await chat(library).session_deleted("thread", persisted=False)
    assert library.deleted == []


async def test_what_came_into_a_chat_after_its_deletion_goes_with_its_last_session():
    library = Collections()
    talk = chat(library)
    await talk.thread_deleted("thread")
    await talk.session_deleted("thread", persisted=False)
    # What stands in a library is given another place first.
    assert library.released == library.deleted == ["thread:thread"] * 2
