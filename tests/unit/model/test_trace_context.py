from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from vsm_mcp.model.trace_context import TraceContext, header_lines, of_meta, read, write

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
HEX = "0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "context"),
    [
        (PARENT, TraceContext(TRACE, SPAN, sampled=True)),
        (f"00-{TRACE}-{SPAN}-00", TraceContext(TRACE, SPAN, sampled=False)),
        (f"00-{TRACE}-{SPAN}-03", TraceContext(TRACE, SPAN, sampled=True)),
        (f"01-{TRACE}-{SPAN}-01-later-parts", TraceContext(TRACE, SPAN, sampled=True)),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{TRACE[1:]}-{SPAN}-01", None),
        (f" {PARENT}", None),
        (f"{PARENT}\n", None),
        ("", None),
    ],
)
def test_what_a_traceparent_says(text: str, context: TraceContext | None) -> None:
    assert read(text) == context


@given(
    st.text(HEX, min_size=32, max_size=32).filter(lambda text: set(text) != {"0"}),
    st.text(HEX, min_size=16, max_size=16).filter(lambda text: set(text) != {"0"}),
    st.booleans(),
)
def test_what_is_written_is_read(trace: str, span: str, sampled: bool) -> None:
    context = TraceContext(trace, span, sampled=sampled)
    assert read(write(context)) == context


@given(st.text() | st.binary().map(Raw) | st.none() | st.integers(), st.text() | st.binary().map(Raw))
def test_no_value_of_meta_forges_a_header_line(parent: object, state: object) -> None:
    lines = header_lines({"traceparent": parent, "tracestate": state})
    assert lines == b"" or lines.startswith(b"traceparent: ")
    good = header_lines({"traceparent": Raw(b'"%b"' % PARENT.encode()), "tracestate": state})
    assert good.startswith(f"traceparent: {PARENT}\r\n".encode())
    assert good.count(b"\r\n") <= 2
    assert good.endswith(b"\r\n")
    assert good.count(b"\n") == good.count(b"\r\n")


def test_meta_holds_raw_json_or_strings() -> None:
    assert of_meta(None) is None
    assert of_meta({}) is None
    assert of_meta({"traceparent": Raw(b"7")}) is None
    assert of_meta({"traceparent": PARENT}) == of_meta({"traceparent": Raw(b'"%b"' % PARENT.encode())})
    assert header_lines({"traceparent": PARENT, "tracestate": "a=1,b=2"}).endswith(b"\r\ntracestate: a=1,b=2\r\n")
