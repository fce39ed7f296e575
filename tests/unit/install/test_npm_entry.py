"""The program of an npm package, after its scripts had the run of its directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.npm import _entry
from vsm_mcp.install.tools import Node

NODE = Node(path="/usr/bin/node", version="22.1.0", npm=("/usr/bin/npm",), prefix="/usr")


def package(into: Path) -> Path:
    folder = into / "node_modules/@me/thing"
    folder.mkdir(parents=True)
    (folder / "cli.js").write_text("#!/usr/bin/env node\n")
    return folder


def test_program_of_the_package(tmp_path: Path) -> None:
    package(tmp_path)
    entry = _entry("@me/thing", "cli.js", tmp_path, NODE)
    assert entry.argv == ("/usr/bin/node", str(tmp_path / "node_modules/@me/thing/cli.js"))
    assert entry.roots == (str(tmp_path),)


@pytest.mark.parametrize("planted", ["node_modules", "node_modules/@me/thing", "node_modules/@me/thing/cli.js"])
def test_a_link_that_a_script_planted_is_not_followed(tmp_path: Path, planted: str) -> None:
    inside, outside = tmp_path / "installation", tmp_path / "outside"
    package(inside)
    package(outside)
    (inside / planted).rename(tmp_path / "moved")
    (inside / planted).symlink_to(outside / planted)
    with pytest.raises(InstallFailed, match="not in the package"):
        _entry("@me/thing", "cli.js", inside, NODE)
