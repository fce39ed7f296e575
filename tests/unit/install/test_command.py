from __future__ import annotations

from pathlib import Path

import pytest

from vsm_mcp.install.roots import roots_of


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "project" / "server.py"
    path.parent.mkdir()
    path.write_text("import beside\n")
    return path


def test_a_script_brings_what_lies_beside_it(script: Path) -> None:
    assert str(script.parent) in roots_of(("/usr/bin/python3", str(script)), "/home/somebody")


@pytest.mark.parametrize("home", ["project", "project/deep/home"])
def test_a_script_in_a_home_brings_itself_only(script: Path, home: str) -> None:
    roots = roots_of(("/usr/bin/python3", str(script)), str(script.parent.parent / home))
    assert roots == (str(script),)


def test_other_files_bring_themselves_only(script: Path) -> None:
    data = script.with_name("data.txt")
    data.touch()
    assert roots_of(("/usr/bin/python3", "-m", "server", str(data)), "") == (str(data),)
