from __future__ import annotations

import pytest

from vsm_mcp.model.paths import grantable


@pytest.mark.parametrize(
    ("path", "fine"),
    [
        ("/home/ada/project", True),
        ("/home/ada/project/deep/file.db", True),
        ("/home/ada", False),
        ("/home", False),
        ("/", False),
        ("/home/ada/.ssh", False),
        ("/home/ada/.ssh/id_rsa", False),
        ("/home/ada/.config/x", False),
        ("/etc/passwd", False),
        ("/usr/bin/chromium", False),
        ("/proc/1/environ", False),
        ("/var/lib/x", False),
        ("/tmp/work", True),
        ("/tmp", False),
        ("/srv/data", True),
        ("/home/ada/data/vsm/state.db", False),
        ("/home/ada/data/vsm", False),
        ("/home/ada/data", False),
        ("/var/tmp", False),
        ("/lib64/x", False),
    ],
)
def test_only_harmless_paths_are_opened_because_they_were_named(path: str, fine: bool) -> None:
    assert grantable(path, "/home/ada", ["/home/ada/data/vsm"]) is fine


def test_a_home_that_is_not_known_hides_nothing() -> None:
    assert grantable("/home/ada/project", "")
    assert not grantable("/tmp", "")
