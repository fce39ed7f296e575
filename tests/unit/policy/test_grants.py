from __future__ import annotations

import pytest

from vsm_mcp.model.principal import LOCAL, Grant
from vsm_mcp.policy.grants import covers_every_tool, covers_profile, covers_tool


def test_without_patterns_everything_is_covered() -> None:
    assert covers_every_tool(LOCAL.grant)
    assert covers_tool(LOCAL.grant, "files__read")
    assert covers_profile(LOCAL.grant, "")
    assert covers_profile(LOCAL.grant, "web")


@pytest.mark.parametrize(
    ("allow", "deny", "name", "covered"),
    [
        (("files__*",), (), "files__read", True),
        (("files__*",), (), "time__now", False),
        (("files__*",), (), "Files__read", False),
        (("files__*",), ("*__write*",), "files__write_file", False),
        (("*",), ("files__*",), "files__read", False),
        (("*",), ("files__*",), "files2__read", True),
        (("files__re?d",), (), "files__read", True),
        ((), (), "files__read", False),
        (("files__*",), (), "files__", True),
        (("files__read",), (), "files__", False),
        (("*",), ("files__write",), "files__", True),
    ],
)
def test_deny_wins_over_allow(allow: tuple[str, ...], deny: tuple[str, ...], name: str, covered: bool) -> None:
    assert covers_tool(Grant(allow_tools=allow, deny_tools=deny), name) is covered


def test_a_tool_with_two_names_is_denied_by_either() -> None:
    grant = Grant(allow_tools=("*",), deny_tools=("a-very-long-server__*",))
    assert not covers_tool(grant, "a-very__tool_12345678", "a-very-long-server__tool")
    assert not covers_every_tool(grant)


def test_profiles() -> None:
    assert not covers_profile(Grant(profiles=("web",)), "")
    assert covers_profile(Grant(profiles=("", "web")), "")
    assert covers_profile(Grant(profiles=("w*",)), "web")
    assert not covers_profile(Grant(profiles=()), "web")
