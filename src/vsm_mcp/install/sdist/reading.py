"""What a source distribution says of itself without being built. Pure, but for reading files.

Formats: "Source distribution format", core metadata (PKG-INFO; PEP 643 says which of its fields hold for every wheel),
"[project]" (PEP 621) and "[build-system]" (PEP 518) of pyproject.toml.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from email.message import Message
from pathlib import Path
from typing import Any, Final

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidSdistFilename, parse_sdist_filename
from packaging.version import InvalidVersion, Version

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.tree.project import project_scripts, pyproject, table, text_of
from vsm_mcp.install.tree.python_project import OLD_BUILD
from vsm_mcp.install.wheel import manifest_from, parsed
from vsm_mcp.model.ref import normalise_pypi

_RELIABLE: Final = Version("2.2")
"""Since this version of the metadata, what is not called dynamic is the same in every wheel (PEP 643)."""
_LIKE_THAT: Final = "it was published like this: choose another version or package"


class Sdist(msgspec.Struct, frozen=True, kw_only=True):
    """One source distribution, as its files tell.

    ``manifest`` has the form of a wheel's (:class:`~vsm_mcp.install.installer.Fetched`); its programs are those of
    ``[project.scripts]``, and there may be more. ``dependencies`` is ``None`` where only a build tells them.
    """

    manifest: dict[str, Any]
    dependencies: tuple[str, ...] | None
    build_requires: tuple[str, ...]


def best_sdist(files: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the source distribution of a release, or ``None``: ``.tar.gz`` before ``.zip``, older forms never."""
    named = {str(file.get("filename", "")): file for file in files if file.get("packagetype") == "sdist"}
    usable = [name for name in sorted(named, key=lambda name: name.endswith(".zip")) if _is_sdist(name)]
    return named[usable[0]] if usable else None


def _is_sdist(filename: str) -> bool:
    try:
        parse_sdist_filename(filename)
    except (InvalidSdistFilename, InvalidVersion):
        return False
    return "/" not in filename and "\\" not in filename


def read_sdist(root: Path, package: str) -> Sdist:
    """Read the unpacked source of ``package`` (``name==version``).

    Raises :class:`InstallFailed` where it has no metadata, or that of another project or version.
    """
    text = text_of(root, "PKG-INFO")
    if not text:
        raise InstallFailed(f"the source of {package} has no readable metadata (PKG-INFO)", _LIKE_THAT)
    message, document = parsed(text), pyproject(root, package)
    scripts = project_scripts(document)
    manifest = manifest_from(message, scripts)
    check_same(manifest, package)
    build = table(document, "build-system").get("requires")
    return Sdist(
        manifest=manifest,
        dependencies=_dependencies(message, table(document, "project")),
        build_requires=tuple(map(str, build)) if isinstance(build, list) else OLD_BUILD,
    )


def check_same(manifest: dict[str, Any], package: str) -> None:
    """Raise :class:`InstallFailed` unless a manifest is that of ``package`` (``name==version``)."""
    name, _, version = package.partition("==")
    said = f"{manifest['name']}=={manifest['version']}"
    try:
        same = Version(manifest["version"]) == Version(version)
    except InvalidVersion:
        same = manifest["version"] == version
    if not same or normalise_pypi(manifest["name"]) != normalise_pypi(name):
        raise InstallFailed(f"what is published as {package} calls itself {said[:80]!a}", "do not trust it")


def without_extras(requirements: Iterable[str]) -> tuple[str, ...]:
    """Return the requirements without those that only an extra brings; what is none stays, to be refused later."""
    return tuple(text for text in requirements if not _of_an_extra(text))


def _of_an_extra(text: str) -> bool:
    try:
        marker = Requirement(text).marker
    except InvalidRequirement:
        return False
    return marker is not None and "extra" in str(marker).replace("'", '"').split()


def _dependencies(message: Message, project: Any) -> tuple[str, ...] | None:
    dynamic = {str(field).strip().lower() for field in message.get_all("Dynamic", [])}
    try:
        reliable = Version(str(message.get("Metadata-Version", "0"))) >= _RELIABLE
    except InvalidVersion:
        reliable = False
    if reliable and "requires-dist" not in dynamic:
        return without_extras(map(str, message.get_all("Requires-Dist", [])))
    wanted = project.get("dependencies", [])
    if not project or "dependencies" in (project.get("dynamic") or ()) or not isinstance(wanted, list):
        return None
    return tuple(map(str, wanted))
