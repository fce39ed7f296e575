"""A call is rewritten only where nothing of it gets lost."""

from __future__ import annotations

from msgspec import Raw

from vsm_mcp.model.stand_in import StandIn


def test_arguments_get_the_other_tools_names_and_what_it_needs_beside() -> None:
    other = StandIn(server="b", tool="t", arguments={"path": "file"}, fixed={"mode": Raw(b'"r"')})
    assert other.rewritten({"path": Raw(b'"/x"')}) == {"mode": Raw(b'"r"'), "file": Raw(b'"/x"')}
    assert other.rewritten({"path": Raw(b'"/x"'), "depth": Raw(b"1")}) is None


def test_a_relative_path_is_another_file_to_another_server() -> None:
    other = StandIn(server="b", tool="t", arguments={"path": "file", "q": "q"}, absolute=frozenset({"path"}))
    for path in (b'"notes.txt"', b'"~/notes.txt"', b'"../x"', b'["/x", "y"]', b"3", b"null", b'""'):
        assert other.rewritten({"path": Raw(path)}) is None
    for path in (b'"/x"', b'"C:\\\\x"', b'"file:///x"', b'["/x", "/y"]'):
        assert other.rewritten({"path": Raw(path)}) == {"file": Raw(path)}
    assert other.rewritten({"q": Raw(b'"x"')}) == {"q": Raw(b'"x"')}
