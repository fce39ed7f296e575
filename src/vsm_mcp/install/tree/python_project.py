"""What a Python project says of itself without being built: its name, what it needs, where its program is.

Formats: pyproject.toml ("[project]", PEP 621; "[build-system]", PEP 518), ``[tool.setuptools]``, ``[tool.poetry]`` as
it was before 2, ``[tool.uv]``, and requirements files of plain requirements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from packaging.requirements import InvalidRequirement, Requirement

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.tree.project import project_scripts, pyproject, table, text_of
from vsm_mcp.model.ref import normalise_pypi

OLD_BUILD: Final = ("setuptools>=40.8.0",)
"""What builds a project that does not say what does (PEP 518)."""
_HASHED: Final = "only what an index has can be pinned and verified"


class PythonProject(msgspec.Struct, frozen=True, kw_only=True):
    """One project, as its files tell.

    ``dependencies`` is ``None`` where only a build would tell; ``build_requires`` is empty where nothing builds it.
    ``roots`` are the folders, as named in the project, that its packages may lie in.
    """

    name: str
    version: str = "0.0.0"
    summary: str = ""
    licence: str = ""
    requires_python: str = ""
    dependencies: tuple[str, ...] | None = ()
    scripts: Mapping[str, str] = {}
    build_requires: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """The name that its package has by custom."""
        return normalise_pypi(self.name).replace("-", "_")

    @property
    def manifest(self) -> dict[str, Any]:
        """What it says in the form that a wheel's metadata is given in."""
        return {
            "name": self.name,
            "version": self.version,
            "summary": self.summary,
            "license": self.licence,
            "requires_python": self.requires_python,
            "requires_dist": list(self.dependencies or ()),
            "console_scripts": dict(self.scripts),
            "scripts": [],
        }


def read_python_project(root: Path, name: str) -> PythonProject:
    """Read the project at ``root``, called ``name`` where it does not say. Raises :class:`InstallFailed`."""
    document = pyproject(root, name)
    project, poetry = table(document, "project"), table(document, "tool", "poetry")
    licence = project.get("license", poetry.get("license"))
    build = table(document, "build-system").get("requires")
    old = (root / "setup.py").is_file() or bool(poetry)
    return PythonProject(
        name=_text(project.get("name")) or _text(poetry.get("name")) or name,
        version=_text(project.get("version")) or _text(poetry.get("version")) or "0.0.0",
        summary=_text(project.get("description")) or _text(poetry.get("description")),
        licence=_text(licence.get("text")) if isinstance(licence, dict) else _text(licence),
        requires_python=_text(project.get("requires-python")),
        dependencies=_dependencies(root, name, document),
        scripts=project_scripts(document),
        build_requires=tuple(map(str, build)) if isinstance(build, list) else OLD_BUILD if old else (),
        roots=tuple(dict.fromkeys([*_roots(document), "src", "."])),
    )


def check_requirements(name: str, requirements: Iterable[str]) -> None:
    """Refuse what is not taken from an index. Raises :class:`InstallFailed`."""
    for text in requirements:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise InstallFailed(f"{name} needs {text[:80]!r}, which is no requirement", "mend it") from error
        if requirement.url:
            raise InstallFailed(f"{name} takes {requirement.name} from an address, not from an index", _HASHED)


def _dependencies(root: Path, name: str, document: Mapping[str, Any]) -> tuple[str, ...] | None:
    project = table(document, "project")
    for package in table(document, "tool", "uv", "sources"):
        raise InstallFailed(f"{name} takes {package} from a source of its own ([tool.uv.sources])", _HASHED)
    if "dependencies" in (project.get("dynamic") or ()):
        files = table(document, "tool", "setuptools", "dynamic", "dependencies").get("file")
        files = [files] if isinstance(files, str) else files
        return tuple(_required(root, name, files)) if isinstance(files, list) else None
    if project:
        wanted = project.get("dependencies", [])
        return tuple(map(str, wanted)) if isinstance(wanted, list) else None
    if table(document, "tool", "poetry") or (root / "setup.py").is_file() or (root / "setup.cfg").is_file():
        return None
    return tuple(_required(root, name, ["requirements.txt"]))


def _required(root: Path, name: str, files: Iterable[Any]) -> Iterable[str]:
    """Yield the requirements of requirements files. Raises :class:`InstallFailed` for options in them."""
    for file in files:
        for line in text_of(root, str(file)).replace("\\\n", " ").splitlines():
            text = line.partition(" #")[0].partition(" --hash")[0].strip()
            if text.startswith("-"):
                raise InstallFailed(f"{name} has {text.split()[0]} in {file}, which is not followed", _HASHED)
            if text and not text.startswith("#"):
                yield text


def _roots(document: Mapping[str, Any]) -> Iterable[str]:
    """Yield the folders that the settings of build backends name, as far as they are plain."""
    setuptools = table(document, "tool", "setuptools")
    where = table(setuptools, "packages", "find").get("where")
    yield from map(str, where) if isinstance(where, list) else ()
    yield _text(table(setuptools, "package-dir").get(""))
    yield _text(table(document, "tool", "uv", "build-backend").get("module-root"))
    wheel = table(document, "tool", "hatch", "build", "targets", "wheel")
    packages = wheel.get("packages")
    yield from (str(Path(str(each)).parent) for each in packages) if isinstance(packages, list) else ()
    parts = table(document, "tool", "poetry").get("packages")
    yield from (_text(each.get("from")) for each in parts if isinstance(each, dict)) if isinstance(parts, list) else ()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
