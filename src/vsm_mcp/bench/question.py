"""What is asked again and again, and whether an answer belongs to its question. Pure."""

from __future__ import annotations

from typing import Any, Final

import msgspec

FEWEST: Final = 32
"""The smallest text that is told apart from every other, in bytes."""

RIGHT, WRONG, FAILED, LOST, DOUBLED = "right", "wrong", "failed", "lost", "doubled"
"""The fates of a call: answered as asked; with another answer; with an error; not at all; more than once."""

_PIECE: Final = 'A line as texts have them: plain letters, a "quoted" word or two, and a line break at the end.\n'
_DIGITS: Final = 12
_LONGEST_WORD: Final = 16


class _Content(msgspec.Struct):
    text: str = ""


class _Echoed(msgspec.Struct):
    content: list[_Content] = []
    isError: bool = False  # noqa: N815 - the protocol's name


class _Outcome(msgspec.Struct):
    isError: bool = False  # noqa: N815


_echoed: Final = msgspec.json.Decoder(_Echoed)
_outcome: Final = msgspec.json.Decoder(_Outcome)


class Question:
    """One call that is made under a new number each time."""

    def __init__(self, tool: str, arguments: bytes) -> None:
        """``arguments`` is a JSON object; they are sent as they are."""
        named = msgspec.json.encode(tool)
        self._between = b',"method":"tools/call","params":{"name":%b,"arguments":' % named
        self._end = b"%b}}" % arguments

    def message(self, number: int) -> bytes:
        """Return the request with this number as its id."""
        return b'{"jsonrpc":"2.0","id":%d%b%b' % (number, self._between, self._end)

    def fate(self, number: int, result: bytes | msgspec.Raw) -> str:
        """Return :data:`RIGHT`, or :data:`FAILED` for a result that says so itself, or :data:`WRONG` for no result."""
        try:
            return FAILED if _outcome.decode(result).isError else RIGHT
        except msgspec.MsgspecError:
            return WRONG


class EchoQuestion(Question):
    """A call of a tool that sends a text back: each text begins with the call's number, so no two are alike.

    The text is ``size`` bytes of JSON (at least :data:`FEWEST`). A right answer is that text, alone or after a word
    such as ``Echo:``.
    """

    def __init__(self, tool: str, parameter: str, size: int) -> None:
        super().__init__(tool, b"")
        self._filling = _filling(size - _DIGITS)
        self._between += b'{%b:"' % msgspec.json.encode(parameter)
        self._end = b"%b}}}" % msgspec.json.encode(self._filling)[1:]

    def message(self, number: int) -> bytes:
        """Return the request with this number as its id and as the beginning of its text."""
        return b'{"jsonrpc":"2.0","id":%d%b%012d%b' % (number, self._between, number, self._end)

    def fate(self, number: int, result: bytes | msgspec.Raw) -> str:
        """Return :data:`RIGHT` for the text that was sent, :data:`FAILED` for an error, else :data:`WRONG`."""
        try:
            read = _echoed.decode(result)
        except msgspec.MsgspecError:
            return WRONG
        if read.isError:
            return FAILED
        text = read.content[0].text if read.content else ""
        sent = f"{number:0{_DIGITS}d}{self._filling}"
        return RIGHT if text.endswith(sent) and len(text) <= len(sent) + _LONGEST_WORD else WRONG


def echo_among(tools: list[dict[str, Any]], prefix: str = "") -> tuple[str, str] | None:
    """Return the name and the parameter of the first listed tool that sends a text back; ``None`` if there is none.

    It is told by its name, from ``prefix`` to ``echo``, and by its one required parameter, a string.
    """
    for tool in tools:
        name, schema = str(tool.get("name", "")), tool.get("inputSchema")
        if name.startswith(prefix) and name.lower().endswith("echo") and isinstance(schema, dict):
            parameter = _only_text(schema)
            if parameter:
                return name, parameter
    return None


def _only_text(schema: dict[str, Any]) -> str:
    required, properties = schema.get("required"), schema.get("properties")
    if not isinstance(required, list) or len(required) != 1 or not isinstance(properties, dict):
        return ""
    described = properties.get(required[0])
    return str(required[0]) if isinstance(described, dict) and described.get("type") == "string" else ""


def _filling(size: int) -> str:
    """Return a text that is ``size`` bytes of JSON, quotes not counted."""
    piece = len(msgspec.json.encode(_PIECE)) - 2
    return _PIECE * (size // piece) + "x" * (size % piece)
