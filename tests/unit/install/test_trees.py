from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from tests.source_trees import write

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.archive import Limits
from vsm_mcp.install.tree.copying import copy_tree, measure_tree
from vsm_mcp.install.tree.placing import place, root_of
from vsm_mcp.install.tree.project import kind_of
from vsm_mcp.install.tree.python_project import check_requirements, read_python_project

LIMITS = Limits(size=10_000, files=50)
BIN, SCRIPTS = '{"bin":"a.js"}', '[project]\nname="a"\n[project.scripts]\na="a:b"\n'


def test_a_copy_has_the_digest_of_its_source_and_of_itself(tmp_path: Path) -> None:
    source = write(tmp_path / "a", {"b/c.txt": "c", "d.sh": "d"})
    (source / "d.sh").chmod(0o700)
    measured = measure_tree(source, LIMITS)
    assert copy_tree(source, tmp_path / "copy", LIMITS) == measured == measure_tree(tmp_path / "copy", LIMITS)
    assert [(each.name, each.mode) for each in measured.members] == [("b/c.txt", 0o644), ("d.sh", 0o755)]
    (source / "d.sh").chmod(0o600)
    assert measure_tree(source, LIMITS).digest != measured.digest


def test_links_within_are_followed_others_and_loops_left_out(tmp_path: Path) -> None:
    source = write(tmp_path / "a", {"b/c.txt": "c", ".git/config": "x"})
    targets = {
        "file": "b/c.txt",
        "folder": "b",
        "out": "/etc/passwd",
        "up": "..",
        "self": "self",
        "b/loop": "..",
        "gone": "no",
    }
    for name, target in {**targets, "git": ".git/config"}.items():
        (source / name).symlink_to(target)
    os.mkfifo(source / "pipe")
    copied = copy_tree(source, tmp_path / "copy", LIMITS)
    assert {each.name for each in copied.members} == {"b/c.txt", "file", "folder/c.txt"}
    assert not any(path.is_symlink() for path in (tmp_path / "copy").rglob("*"))


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"package.json": "{}"}, "node"),
        ({"pyproject.toml": ""}, "python"),
        ({"requirements.txt": ""}, "python"),
        ({"package.json": BIN, "pyproject.toml": ""}, "node"),
        ({"package.json": "{}", "pyproject.toml": SCRIPTS}, "python"),
        ({"package.json": "{}", "pyproject.toml": '[project]\ndependencies=["mcp<2"]'}, "python"),
        ({"package.json": '{"dependencies":{"@modelcontextprotocol/sdk":"1"}}', "pyproject.toml": ""}, "node"),
        ({"package.json": "{}", "pyproject.toml": ""}, "node"),
    ],
)
def test_what_a_tree_is(tmp_path: Path, files: dict[str, str], kind: str) -> None:
    assert kind_of(write(tmp_path, files), "a") == kind


@pytest.mark.parametrize(
    ("files", "dependencies"),
    [
        ({"pyproject.toml": '[project]\nname="a"\ndependencies=["b>1"]'}, ("b>1",)),
        ({"pyproject.toml": '[project]\nname="a"\ndynamic=["dependencies"]'}, None),
        ({"pyproject.toml": '[project]\nname="a"\ndynamic=["dependencies"]\n[tool.setuptools.dynamic]\n'
                            'dependencies={file=["r.txt"]}', "r.txt": "# x\nb>1 # y\n\nc==2 \\\n  --hash=sha256:00\n"},
         ("b>1", "c==2")),
        ({"pyproject.toml": '[tool.poetry]\nname="a"\n[tool.poetry.dependencies]\nb="^1"'}, None),
        ({"setup.py": ""}, None),
        ({"requirements.txt": "b\n"}, ("b",)),
        ({"pyproject.toml": '[project]\nname="a"'}, ()),
    ],
)  # fmt: skip
def test_what_a_python_project_needs(
    tmp_path: Path, files: dict[str, str], dependencies: tuple[str, ...] | None
) -> None:
    assert read_python_project(write(tmp_path, files), "a").dependencies == dependencies


def test_sources_of_its_own_are_refused(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": '[project]\nname="a"\n[tool.uv.sources]\nb={git="https://h.example/b"}'})
    with pytest.raises(InstallFailed, match="takes b from a source of its own"):
        read_python_project(tmp_path, "a")
    with pytest.raises(InstallFailed, match="from an address"):
        check_requirements("a", ["b @ git+https://h.example/b"])


@pytest.mark.parametrize(
    ("settings", "folder"),
    [
        ("", "src"),
        ("", "."),
        ('[tool.setuptools]\npackage-dir={""="python"}', "python"),
        ('[tool.setuptools.packages.find]\nwhere=["lib"]', "lib"),
        ('[tool.hatch.build.targets.wheel]\npackages=["deep/er/a"]', "deep/er"),
        ('[tool.uv.build-backend]\nmodule-root="m"', "m"),
        ('[tool.poetry]\npackages=[{include="a", from="p"}]', "p"),
    ],
)
def test_a_project_is_placed_where_its_settings_say(tmp_path: Path, settings: str, folder: str) -> None:
    tree = write(tmp_path / "tree", {"pyproject.toml": SCRIPTS + settings, f"{folder}/a/__init__.py": ""})
    project = read_python_project(tree, "a")
    assert root_of(tree, project, "a.b") == (tree / folder).resolve()
    packages = tmp_path / "venv/lib/python3.11/site-packages"
    packages.mkdir(parents=True)
    (tmp_path / "venv/bin").mkdir()
    place(tree, project, tmp_path / "venv")
    assert (packages / "_vsm_mcp_project.pth").read_text() == f"{(tree / folder).resolve()}\n"
    assert "from a import b" in (tmp_path / "venv/bin/a").read_text()


@pytest.mark.parametrize("target", ["a:b; import os", "a", "a:b\nimport os", "../a:b"])
def test_a_program_is_nothing_but_a_function(tmp_path: Path, target: str) -> None:
    tree = write(tmp_path / "tree", {"a/__init__.py": "", "requirements.txt": ""})
    project = read_python_project(tree, "a")
    (tmp_path / "venv/lib/python3.11/site-packages").mkdir(parents=True)
    with pytest.raises(InstallFailed, match="declares the program"):
        place(tree, msgspec.structs.replace(project, scripts={"a": target}), tmp_path / "venv")
