"""Which Pythons a machine has, by their names."""

from __future__ import annotations

from pathlib import Path

from vsm_mcp.install.pythons import minor_versions, programs


def test_pythons_on_the_path_of_pyenv_and_of_uv_are_found_newest_first(tmp_path: Path) -> None:
    names = ("path/python3.12", "path/python3.8", "path/python3.x", ".pyenv/versions/3.10.4/bin/python3.10",
             "uv/cpython-3.99.1-linux/bin/python3.99", "shims/python3.97")  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "path" / "python3.11").symlink_to(tmp_path / "path" / "python3.12")
    path = f"{tmp_path / 'path'}:relative:{tmp_path / 'shims'}"
    environ = {"HOME": str(tmp_path), "UV_PYTHON_INSTALL_DIR": str(tmp_path / "uv"), "PATH": path}
    mine = [program for program in programs(environ) if program.startswith(str(tmp_path))]
    assert sorted(Path(program).name for program in mine) == ["python3.10", "python3.12", "python3.99"]
    found = minor_versions(environ)
    assert {"3.99", "3.12", "3.10"} <= set(found)
    assert not {"3.8", "3.97"} & set(found)
    assert found == tuple(sorted(found, key=lambda each: -int(each[2:])))


def test_versions_are_found_beside_shims_on_the_path_whatever_home_says(tmp_path: Path) -> None:
    program = tmp_path / "pyenv" / "versions" / "3.98.1" / "bin" / "python3.98"
    program.parent.mkdir(parents=True)
    program.touch()
    environ = {"HOME": "/nonexistent", "PATH": f"{tmp_path / 'pyenv' / 'shims'}:{tmp_path / 'pyenv' / 'bin'}"}
    assert str(program) in programs(environ)
    assert str(program) in programs({"HOME": "/nonexistent", "PATH": "/bin", "PYENV_ROOT": str(tmp_path / "pyenv")})
