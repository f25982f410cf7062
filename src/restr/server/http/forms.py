"""multipart/form-data, parsed in memory; nothing is written to disk."""

from __future__ import annotations

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from restr.server.problems import Problem, quoted

MOST_PARTS = 200


@dataclass(kw_only=True)
class FormField:
    """One field of a form."""

    name: str = ""
    """As in its Content-Disposition."""

    is_file: bool = False
    """Whether it has a file name; the file name itself is ignored."""

    value: bytearray = field(default_factory=bytearray)
    """Its bytes."""

    def text(self) -> str:
        """The value as text. Raises ``Problem``."""
        try:
            return self.value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Problem("malformed-body", f"the field {quoted(self.name)} is not UTF-8 text") from error


def parse_form(content_type: str, body: bytes) -> list[FormField]:
    """The fields in order. Raises ``Problem`` unless the form is whole and well-formed."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise Problem("malformed-body", "the content type multipart/form-data names no boundary")
    reader = _Collector()
    try:
        parser = MultipartParser(boundary, reader.callbacks(), max_header_count=8, max_header_size=1024)  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise Problem("malformed-body", "the form is not well-formed multipart/form-data") from error
    if not reader.ended:
        raise Problem("malformed-body", "the form ends before its last boundary")
    return reader.parts


class _Collector:
    """Collects the fields while the parser finds them."""

    def __init__(self) -> None:
        self.parts: list[FormField] = []
        self.ended = False
        self._name, self._value = bytearray(), bytearray()

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._part_begin,
            "on_part_data": self._part_data,
            "on_header_begin": self._header_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        if len(self.parts) >= MOST_PARTS:
            raise Problem(
                "malformed-body", f"the form has more than {MOST_PARTS} fields; expected an image and some texts"
            )
        self.parts.append(FormField())

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].value += data[start:end]

    def _header_begin(self) -> None:
        self._name, self._value = bytearray(), bytearray()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if bytes(self._name).lower() == b"content-disposition":
            kind, options = parse_options_header(bytes(self._value))
            if kind == b"form-data":
                self.parts[-1].name = options.get(b"name", b"").decode("utf-8", "replace")
                self.parts[-1].is_file = b"filename" in options

    def _headers_finished(self) -> None:
        if not self.parts[-1].name:
            raise Problem("malformed-body", "a part of the form has no name")

    def _end(self) -> None:
        self.ended = True
