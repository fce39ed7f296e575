from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.errors import BadReference
from vsm_mcp.model.ref import Ref, RefKind, parse_ref


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("npm:mcp-echarts", Ref(RefKind.NPM, "mcp-echarts")),
        ("npm:@scope/name@1.2.3-beta.1", Ref(RefKind.NPM, "@scope/name", "1.2.3-beta.1")),
        ("pypi:mcp_server.time==2026.1", Ref(RefKind.PYPI, "mcp_server.time", "2026.1")),
        ("git+https://host/path.git@v1.0", Ref(RefKind.GIT, "https://host/path.git", "v1.0")),
        ("git+ssh://git@host/path", Ref(RefKind.GIT, "ssh://git@host/path")),
        ("git+https://host/o/r@feature/x", Ref(RefKind.GIT, "https://host/o/r", "feature/x")),
        ("git+https://host/@o/r", Ref(RefKind.GIT, "https://host/@o/r")),
        ("git+https://host/o/r@v1#subdirectory=a/b", Ref(RefKind.GIT, "https://host/o/r#subdirectory=a/b", "v1")),
        ("git+https://host/o/r#subdirectory=a", Ref(RefKind.GIT, "https://host/o/r#subdirectory=a")),
        (f"mcpb:/srv/a.mcpb#sha256={'a' * 64}", Ref(RefKind.MCPB, "/srv/a.mcpb", f"sha256={'a' * 64}")),
        ("mcpb:https://host/a#b.mcpb", Ref(RefKind.MCPB, "https://host/a#b.mcpb")),
        ("dir:/srv/server", Ref(RefKind.DIR, "/srv/server")),
        ("oci:/srv/my folder", Ref(RefKind.OCI, "/srv/my folder")),
        ("oci:mcp/time@sha256:abc", Ref(RefKind.OCI, "mcp/time@sha256:abc")),
        ("https://host.example/mcp", Ref(RefKind.REMOTE, "https://host.example/mcp")),
        ("wss://host.example/mcp", Ref(RefKind.REMOTE, "wss://host.example/mcp")),
        ("ws://[::1]:8080", Ref(RefKind.REMOTE, "ws://[::1]:8080")),
        ("tcp://127.0.0.1:7000", Ref(RefKind.REMOTE, "tcp://127.0.0.1:7000")),
        ("cmd:python -m server", Ref(RefKind.CMD, "python -m server")),
    ],
)
def test_each_form_is_read_and_written_back(text: str, expected: Ref) -> None:
    assert parse_ref(text) == expected
    assert parse_ref(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mcp-echarts",
        "npm:",
        "npm:../../etc/passwd",
        "npm:a;rm -rf /",
        "npm:$(id)",
        "npm:name@latest tag",
        "npm:name@",
        "npm:name@>=1",
        "npm:Upper",
        "npm:@scope/",
        "pypi:a/b",
        "pypi:name==../1",
        "pypi:name==",
        "https://user:password@host/mcp",
        "git+https:host",
        "git+https://user:password@host/o/r",
        "git+https://host/o/r#egg=a",
        "git+https://host/o/r#subdirectory=../a",
        "git+https://host/o/r@--upload-pack=x",
        "git+https://host/o/r@a..b",
        "mcpb:/srv/a.mcpb#sha256=12",
        "mcpb:ftp://host/a.mcpb",
        "mcpb:https://user:password@host/a.mcpb",
        "oci:-rf",
        "oci:a/../b",
        "oci:a//b",
        "npm:name\x1b[31m",
        "npm:" + "a" * 300,
        "://host/x",
        "wss:host/x",
        "tcp://",
        "tcp://user:password@host:7",
    ],
)
def test_what_is_no_reference_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(BadReference) as caught:
        parse_ref(text)
    assert caught.value.hint
    assert "password" not in str(caught.value)


@given(st.text(max_size=60))
def test_no_text_makes_the_reader_fail_otherwise(text: str) -> None:
    for prefix in ("", "npm:", "pypi:", "git+https://", "git+https://h/o@", "mcpb:", "oci:", "https://"):
        try:
            ref = parse_ref(prefix + text)
        except BadReference:
            continue
        assert parse_ref(str(ref)).identity == ref.identity


def test_identity_forgets_version_and_spelling() -> None:
    assert parse_ref("pypi:MCP_Server.Time==1").identity == parse_ref("pypi:mcp-server-time").identity
    assert parse_ref("npm:@a/b@1").identity == "npm:@a/b"
