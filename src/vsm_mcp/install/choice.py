"""The installer for a reference: found at the plug-in point ``installers`` by the kind of the reference."""

from __future__ import annotations

from typing import Final

from vsm_mcp import plugins
from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.installer import Bench, Installer
from vsm_mcp.model.ref import Ref

_POINT: Final = "installers"


def installable() -> frozenset[str]:
    """Return the kinds of references that there is an installer for."""
    return frozenset(plugins.names(_POINT))


def installer_for(ref: Ref, bench: Bench) -> Installer:
    """Return the installer for ``ref``. Raises :class:`InstallFailed` for a kind that none is there for."""
    known = plugins.names(_POINT)
    if ref.kind.value not in known:
        raise InstallFailed(
            f"references of the kind {ref.kind.value} cannot be installed yet", f"use one of {', '.join(known)}"
        )
    installer: Installer = plugins.load(_POINT, [ref.kind.value])[ref.kind.value](bench)
    return installer
