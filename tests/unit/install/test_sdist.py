from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.archive import Limits, unpack_zip
from vsm_mcp.install.pypi_file import archive_of
from vsm_mcp.install.sdist.reading import best_sdist, read_sdist, without_extras
from vsm_mcp.install.wheel import newest

NEW = "Metadata-Version: 2.2\nName: Told.MCP\nVersion: 1.0.0\nLicense-Expression: MIT\n"
STATIC = '[project]\nname = "told-mcp"\nversion = "1"\ndependencies = ["idna"]\n'
DYNAMIC = '[project]\nname = "told-mcp"\nversion = "1"\ndynamic = ["dependencies"]\n'


def _file(filename: str, **more: Any) -> dict[str, Any]:
    return {"filename": filename, "packagetype": "sdist", **more}


def _tree(folder: Path, metadata: str, project: str = "") -> Path:
    (folder / "PKG-INFO").write_text(metadata)
    if project:
        (folder / "pyproject.toml").write_text(project)
    return folder


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (["x-1.zip", "x-1.tar.gz"], "x-1.tar.gz"),
        (["x-1.zip"], "x-1.zip"),
        (["x-1.tar.bz2", "x-1.egg", "x.tar.gz", "../x-1.tar.gz"], None),
    ],
)
def test_which_source_is_taken(names: list[str], taken: str | None) -> None:
    found = best_sdist([*map(_file, names), {"filename": "y-1.tar.gz", "packagetype": "bdist_dumb"}])
    assert (found and found["filename"]) == taken


def test_a_version_without_a_wheel_counts_where_building_is_allowed() -> None:
    releases = {"1.0": [_file("x-1.0.tar.gz")], "0.9": [{"filename": "x", "packagetype": "bdist_wheel"}]}
    assert newest(releases) == ["0.9"]
    assert newest(releases, sources=True) == ["1.0", "0.9"]
    assert newest({"1.0": [_file("x-1.0.tar.gz", yanked=True)]}, sources=True) == []


@pytest.mark.parametrize(
    ("metadata", "project", "needs"),
    [
        (f"{NEW}Requires-Dist: anyio>=4\n", "", ("anyio>=4",)),
        (f"{NEW}Requires-Dist: anyio\nRequires-Dist: rich; extra == 'cli'\n", STATIC, ("anyio",)),
        (NEW, "", ()),
        (f"{NEW}Dynamic: Requires-Dist\n", "", None),
        (f"{NEW}Dynamic: requires-dist\n", STATIC, ("idna",)),
        (NEW.replace("2.2", "2.1"), STATIC, ("idna",)),
        (NEW.replace("2.2", "2.1"), DYNAMIC, None),
        (NEW.replace("2.2", "2.1"), "", None),
        (NEW.replace("2.2", "rubbish"), "[tool.x]\n", None),
    ],
)
def test_what_a_source_says_it_needs(
    tmp_path: Path, metadata: str, project: str, needs: tuple[str, ...] | None
) -> None:
    found = read_sdist(_tree(tmp_path, metadata, project), "told-mcp==1.0")
    assert found.dependencies == needs
    assert found.manifest["license"] == "MIT"
    assert found.build_requires == ("setuptools>=40.8.0",)


def test_what_builds_it(tmp_path: Path) -> None:
    project = '[build-system]\nrequires = ["hatchling"]\n[project.scripts]\ntold = "told:main"\n'
    found = read_sdist(_tree(tmp_path, NEW, project), "told-mcp==1.0")
    assert found.build_requires == ("hatchling",) and found.manifest["console_scripts"] == {"told": "told:main"}


@pytest.mark.parametrize(
    ("metadata", "package", "said"),
    [
        ("", "told-mcp==1.0", "no readable metadata"),
        (NEW, "other==1.0", "calls itself"),
        (NEW, "told-mcp==1.0.1", "calls itself"),
        (NEW.replace("1.0.0", "odd version"), "told-mcp==1.0", "calls itself"),
    ],
)
def test_a_source_of_something_else(tmp_path: Path, metadata: str, package: str, said: str) -> None:
    with pytest.raises(InstallFailed, match=said):
        read_sdist(_tree(tmp_path, metadata), package)


def test_extras_are_left_out_and_what_is_no_requirement_is_not() -> None:
    wanted = ("a", "b; extra == 'x'", 'c; python_version > "3" and extra == "y"', "d; sys_platform == 'linux'", "? no")
    assert without_extras(wanted) == ("a", "d; sys_platform == 'linux'", "? no")


def test_a_file_without_a_hash_is_not_taken() -> None:
    with pytest.raises(InstallFailed, match="no SHA-256"):
        archive_of(_file("x-1.tar.gz", url="http://h/x-1.tar.gz", digests={}), "x==1")


def test_a_zip_is_unpacked_without_its_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x-1.zip", "w") as file:
        file.writestr("x-1/", "")
        file.writestr("x-1/PKG-INFO", NEW)
    members = unpack_zip(tmp_path / "x-1.zip", tmp_path / "x", Limits(size=1000, files=10), strip=1)
    assert [member.name for member in members] == ["", "PKG-INFO"]
    assert (tmp_path / "x" / "PKG-INFO").read_text() == NEW
