from __future__ import annotations

from pathlib import Path

import pytest

from vsm_mcp.install.roots import own_words, roots_of


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


def test_other_files_that_it_names_are_arguments(script: Path) -> None:
    data = script.with_name("data.txt")
    data.touch()
    assert roots_of(("/usr/bin/python3", "-m", "server", str(data)), "") == ()
    assert roots_of((str(script), str(data)), str(script.parent)) == (str(script),)


@pytest.mark.parametrize(
    ("argv", "own"),
    [
        (("/usr/bin/python3.11", "-u", "/srv/run", "/srv/data"), ("/srv/run",)),
        (("/usr/bin/node", "--require=/srv/hook.js", "/srv/app", "/srv/x.mjs"), ("/srv/app", "/srv/x.mjs")),
        (("/usr/bin/python3", "-m", "server", "/srv/data"), ("server",)),
        (("/srv/server", "/srv/key", "/srv/plug.py"), ("/srv/plug.py",)),
    ],
)
def test_which_words_name_its_own_files(argv: tuple[str, ...], own: tuple[str, ...]) -> None:
    assert set(own_words(argv)) == {argv[0], *own}
