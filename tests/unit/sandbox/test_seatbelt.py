"""The profile for macOS, as text: nothing of it was run."""

from __future__ import annotations

import re

from vsm_mcp.sandbox import seatbelt
from vsm_mcp.sandbox.mounts import Mount

RULE = re.compile(r'^\((allow|deny) ([^(]+) \((\w+) "((?:[^"\\]|\\.)*)"\)\)$', re.MULTILINE)
MOUNTS = (
    Mount(path="/Users/me/project", kind="rw"),
    Mount(path="/Users/me/project/.git", kind="ro"),
    Mount(path="/Users/me/project/secret", kind="hidden"),
    Mount(path="/opt/node", kind="ro"),
)


def decided(text: str, operation: str, path: str) -> str:
    """Return what the last rule says that fits: how Seatbelt decides."""
    answer = "deny"
    for verb, operations, kind, where in RULE.findall(text):
        fits = path == where or (kind == "subpath" and path.startswith(f"{where.rstrip('/')}/"))
        if fits and any(name == operation or _covers(name, operation) for name in operations.split()):
            answer = verb
    return answer


def _covers(name: str, operation: str) -> bool:
    return name.endswith("*") and operation.startswith(name[:-1])


def test_everything_is_denied_but_what_is_said() -> None:
    text = seatbelt.profile(MOUNTS, ("/Users/me/kept", "/private/var/folders/x/vsm"))
    assert text.splitlines()[:2] == ["(version 1)", "(deny default)"]
    assert "network" not in text
    assert "mach-lookup" not in text
    assert text.count("(") == text.count(")")


def test_paths_are_decided_as_granted() -> None:
    text = seatbelt.profile(MOUNTS, ("/Users/me/kept", "/private/var/folders/x/vsm"))
    expected = {
        ("file-read-data", "/Users/me/project/a"): "allow",
        ("file-write-data", "/Users/me/project/a"): "allow",
        ("file-read-data", "/Users/me/project/.git/config"): "allow",
        ("file-write-data", "/Users/me/project/.git/config"): "deny",
        ("file-read-data", "/Users/me/project/secret/key"): "deny",
        ("file-write-data", "/Users/me/project/secret/key"): "deny",
        ("file-read-data", "/Users/me/projects"): "deny",
        ("file-read-data", "/Users/me/.ssh/id_ed25519"): "deny",
        ("process-exec", "/opt/node/bin/node"): "allow",
        ("file-write-data", "/opt/node/bin/node"): "deny",
        ("file-write-data", "/usr/bin/true"): "deny",
        ("process-exec", "/usr/bin/true"): "allow",
        ("file-write-data", "/private/var/folders/x/vsm/tmp/a"): "allow",
        ("file-write-data", "/Users/me/kept/memory.json"): "allow",
        ("file-write-data", "/dev/null"): "allow",
        ("file-read-data", "/private/etc/master.passwd"): "deny",
    }
    assert {key: decided(text, *key) for key in expected} == expected


def test_a_path_cannot_end_its_quotes() -> None:
    text = seatbelt.profile((Mount(path='/a"))(allow default)("\\', kind="ro"),), "/home")
    assert '(subpath "/a\\"))(allow default)(\\"\\\\")' in text
    assert "\n(allow default)" not in text


def test_what_is_not_enforced_is_said() -> None:
    assert seatbelt.HELD["filesystem"] == seatbelt.HELD["network"] == "enforced"
    assert {seatbelt.HELD[name] for name in ("memory", "cpu", "pids", "syscalls")} == {"off"}
