"""Where on GitHub something is: a repository, perhaps a folder in it. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from vsm_mcp.errors import VsmError
from vsm_mcp.model.ref import Ref, parse_ref

# GitHub: names of owners and of repositories; a folder is what is left of a path without anything unusual.
_OWNER: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})\Z")
_NAME: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}\Z")
_STEP: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._@-]{1,100}\Z")
_DEEPEST: Final = 8


class Place(msgspec.Struct, frozen=True):
    """A repository at ``site`` (``https://github.com``), and the ``folder`` in it (``""``: all of it)."""

    site: str
    owner: str
    name: str
    folder: str = ""

    @property
    def repository(self) -> str:
        """The address of the repository."""
        return f"{self.site}/{self.owner}/{self.name}"

    @property
    def title(self) -> str:
        """The last part of its name."""
        return self.folder.rsplit("/", 1)[-1] if self.folder else self.name

    @property
    def ref(self) -> Ref | None:
        """The reference of its source; a folder is written as pip does."""
        try:
            return parse_ref(f"git+{self.repository}" + (f"#subdirectory={self.folder}" if self.folder else ""))
        except VsmError:
            return None


def place_of(url: str, site: str = "https://github.com") -> Place | None:
    """Return what an address on ``site`` points to, or ``None``."""
    try:
        parts, home = urlsplit(url), urlsplit(site)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or (parts.hostname or "").removeprefix("www.") != home.hostname:
        return None
    owner, name, *rest = [*filter(None, unquote(parts.path).split("/")), "", ""]
    steps = rest[2:] if rest[:1] == ["tree"] else []
    return _place(site, owner, name.removesuffix(".git"), list(filter(None, steps)))


def below(place: Place, path: str) -> Place | None:
    """Return the folder that a link in a repository's own README points to (``src/git``, ``./src/git/``)."""
    steps = [step for step in path.split("/") if step not in {"", "."}]
    return _place(place.site, place.owner, place.name, steps) if steps else None


def _place(site: str, owner: str, name: str, steps: list[str]) -> Place | None:
    usable = _OWNER.match(owner) and _NAME.match(name) and len(steps) <= _DEEPEST and all(map(_STEP.match, steps))
    return Place(site, owner, name, "/".join(steps)) if usable else None
