"""How a call ended is told from its result, whatever its size."""

from __future__ import annotations

import pytest
from msgspec import Raw

from vsm_mcp.gateway import results
from vsm_mcp.model.ending import Ending


@pytest.mark.parametrize(
    ("raw", "ending"),
    [
        (b'{"content":[]}', Ending.ANSWERED),
        (b'{"content":[],"isError":false}', Ending.ANSWERED),
        (b'{"content":[],"isError":true}', Ending.TOOL_ERROR),
        (b'{"isError":true,"content":["%b"]}' % (b"x" * 20_000), Ending.TOOL_ERROR),
        (b'{"content":["%b"],"isError":true}' % (b"x" * 20_000), Ending.TOOL_ERROR),
        (b'{"content":["\\"isError\\": true"]}', Ending.ANSWERED),
        (b'{"isError" : false,"content":[]}', Ending.ANSWERED),
        (b'{"content":[],"isError" : true}', Ending.TOOL_ERROR),
        (b'{"structuredContent":{"isError":false},"isError":true}', Ending.TOOL_ERROR),
        (b'{"structuredContent":{"isError":true},"content":[]}', Ending.ANSWERED),
        (b'{"isError":3}', Ending.PROTOCOL),
        (b'{"isError":falsehood}', Ending.PROTOCOL),
    ],
)
def test_how_a_call_ended_is_read_from_its_result(raw: bytes, ending: Ending) -> None:
    assert results.ending(Raw(raw)) is ending
