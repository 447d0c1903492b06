"""A file in a multipart request, read while it arrives, one network packet at a time."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from xnai.errors import BAD_REQUEST, XnaiError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_FIX = "Send multipart/form-data with the document in the part named 'file'."
_FIELDS_MAX = 20
_FIELD_BYTES_MAX = 1024


def _refuse(problem: str) -> XnaiError:
    return XnaiError(BAD_REQUEST, problem=problem, fix=_FIX)


@dataclass
class _Part:
    """A part being read; ``file_name`` is None for a plain field."""

    name: str
    file_name: str | None
    value: bytearray


class FileUpload:
    """The part named ``file`` of a request; the fields before it are kept in ``fields``.

    Call ``open``, then read ``chunks`` to the end: nothing may be kept of them before that.
    """

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            raise _refuse("The request is not multipart/form-data.")
        self.fields: dict[str, str] = {}
        self.file_name = ""
        self._body = body
        self._part = _Part("", None, bytearray())
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._disposition = b""
        self._data: deque[bytes] = deque()
        self._opened = self._file_ended = self._ended = False
        try:
            self._parser = MultipartParser(boundary, self._callbacks())
        except FormParserError as exc:
            raise _refuse("The multipart boundary is not valid.") from exc

    async def open(self) -> None:
        """Read up to the beginning of the file.

        Raises:
            XnaiError: BAD_REQUEST if there is none.

        """
        while not self._opened:
            if not await self._feed():
                raise _refuse("There is no part named 'file' with a file name.")

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the file's bytes as they arrive, then read the rest of the request.

        Raises:
            XnaiError: BAD_REQUEST if the request ends in the middle or goes on with another file.

        """
        while True:
            while self._data:
                yield self._data.popleft()
            if self._file_ended:
                break
            if not await self._feed():
                raise _refuse("The request ended in the middle of the file.")
        while await self._feed():
            pass
        if not self._ended:
            raise _refuse("The request ended before its last boundary.")

    async def _feed(self) -> bool:
        """Parse one more packet; False at the end of the request."""
        data = await anext(self._body, None)
        if data is None:
            return False
        try:
            self._parser.write(data)
        except FormParserError as exc:
            raise _refuse("The multipart body is malformed.") from exc
        return True

    def _callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        self._disposition = b""

    def _header_end(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = bytes(value)
        self._header = (bytearray(), bytearray())

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition.decode("latin-1"))
        file_name = options.get(b"filename")
        self._part = _Part(
            options.get(b"name", b"").decode(errors="replace"),
            None if file_name is None else file_name.decode(errors="replace"),
            bytearray(),
        )
        if self._part.name == "file" and not self._part.file_name:
            raise _refuse("The part named 'file' has no file name.")
        if self._part.name == "file" and self._part.file_name and not self._opened:
            self.file_name = self._part.file_name
            self._opened = True
        elif self._part.file_name is not None:
            raise _refuse("More than one file, or a file in another part than 'file'.")

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part.file_name is not None:
            self._data.append(data[start:end])
            return
        self._part.value += data[start:end]
        if len(self._part.value) > _FIELD_BYTES_MAX:
            raise _refuse(f"A form field is longer than {_FIELD_BYTES_MAX} bytes.")

    def _part_end(self) -> None:
        if self._part.file_name is not None:
            self._file_ended = True
            return
        self.fields[self._part.name] = self._part.value.decode(errors="replace")
        if len(self.fields) > _FIELDS_MAX:
            raise _refuse(f"There are more than {_FIELDS_MAX} form fields.")

    def _end(self) -> None:
        self._ended = True
