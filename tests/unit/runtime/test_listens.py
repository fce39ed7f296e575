"""Where programs listen, and how they are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.errors import BadArgument
from vsm_mcp.runtime.listens import PRESETS, Place, place, template, told, with_port
from vsm_mcp.wire.address import read_address

ports = st.integers(1, 65535)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_a_url_whose_port_is_chosen(preset: str) -> None:
    found = place(template(preset), 4711)
    assert (found.port, found.managed, found.host) == (4711, True, "127.0.0.1")
    assert read_address(found.url, {"http", "ws", "tcp"}).port == 4711


@given(ports, ports, st.sampled_from(("127.0.0.1", "localhost", "[::1]")), st.sampled_from(("", "/", "/a/b?c=d")))
def test_a_port_that_was_written_stays_and_a_name_becomes_an_address(
    own: int, chosen: int, host: str, path: str
) -> None:
    fixed = place(template(f"http://{host}:{own}{path}"), chosen)
    free = place(template(f"http://{host}:{{port}}{path}"), chosen)
    address = "::1" if host == "[::1]" else "127.0.0.1"
    assert (fixed.port, fixed.managed, fixed.host) == (own, False, address)
    assert (free.port, free.managed, free.host) == (chosen, True, address)
    assert fixed.url.endswith(f":{own}{path}")
    assert read_address(free.url, {"http"}).port == chosen
    shown = f"[{address}]" if ":" in address else address
    assert free.origin == f"http://{shown}:{chosen}"


@given(st.text())
def test_anything_else_is_refused_by_name(text: str) -> None:
    try:
        assert isinstance(place(template(text), 1), Place)
    except BadArgument as error:
        assert error.message.startswith("listens: ")


@given(ports)
def test_a_program_is_told_its_port_wherever_it_wants_to_hear_it(port: int) -> None:
    argv, env = told(("run", "--at=:{port}", "{port}"), {"URL": "http://h:{port}", "X": "y"}, port)
    assert argv == ("run", f"--at=:{port}", str(port))
    assert env == {"URL": f"http://h:{port}", "X": "y"}


def test_the_variable_port_is_set_where_nothing_else_says_it() -> None:
    url = PRESETS["http"]
    assert with_port(("run",), {"X": "y"}, url) == {"PORT": "{port}", "X": "y"}
    assert with_port(("run",), {"PORT": "80"}, url) == {"PORT": "80"}
    assert with_port(("run", "--port={port}"), {}, url) == {}
    assert with_port(("run",), {"MY_PORT": "{port}"}, url) == {"MY_PORT": "{port}"}
    assert with_port(("run",), {}, "http://127.0.0.1:80/mcp") == {}
    assert with_port(("run",), {}, "") == {}
