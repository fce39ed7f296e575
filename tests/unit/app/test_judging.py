from __future__ import annotations

import pytest

from vsm_mcp.app.judging import remedy_for
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Installation, Server


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("npm:demo@1.0.0", "vsm-mcp upgrade demo looks for"),
        ("cmd:/usr/bin/demo", "update the program"),
        ("https://example.org/mcp", "who runs it has to mend it"),
    ],
)
def test_only_what_has_versions_is_to_be_upgraded(ref: str, said: str) -> None:
    where = parse_ref(ref)
    entry = Entry(argv=("true",), runtime="native")
    lies = Installation(server="demo", ref=where, version="1", path="/x", entry=entry)
    server = Server(name="demo", ref=where, version="1", installation=lies, settings=Settings())
    remedy = remedy_for(server)
    assert remedy.startswith(said)
    assert ("upgrade" in remedy) is ref.startswith("npm:")
    assert "vsm-mcp stop demo" in remedy
