"""Where two answers differ, as a client would see it."""

from __future__ import annotations

import pytest

from vsm_mcp.gateway.mirror import differences


@pytest.mark.parametrize(
    ("served", "mirrored", "places"),
    [
        (b'{"content":[1],"_meta":{"a":1}}', b'{"resultType":"complete","content":[1]}', ()),
        (b'{"content":[{"a":1,"b":2}]}', b'{"content":[{"b":2,"a":1}]}', ()),
        (b'{"content":[1],"isError":false}', b'{"content":[1]}', ()),
        (b'{"content":[1]}', b'{"content":[2],"isError":true}', ("isError", "content")),
        (
            b'{"structuredContent":{"a":1,"b":2,"c":3}}',
            b'{"structuredContent":{"a":1,"b":3}}',
            ("structuredContent.b", "structuredContent.c"),
        ),
        (b'{"structuredContent":{"a":1}}', b"{}", ("structuredContent",)),
        (b"[1]", b"{}", ("json",)),
        (b"{", b"{}", ("json",)),
    ],
)
def test_what_differs_is_named_by_its_place(served: bytes, mirrored: bytes, places: tuple[str, ...]) -> None:
    assert differences(served, mirrored) == places
