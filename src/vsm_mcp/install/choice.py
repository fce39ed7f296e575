"""The installer for a reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.command import CommandInstaller
from vsm_mcp.install.installer import Bench, Installer
from vsm_mcp.install.npm import NpmInstaller
from vsm_mcp.install.pypi import PypiInstaller
from vsm_mcp.install.remote import RemoteInstaller
from vsm_mcp.model.ref import Ref, RefKind

BUILT_IN: Final[dict[RefKind, Callable[[Bench], Installer]]] = {
    RefKind.NPM: NpmInstaller,
    RefKind.PYPI: PypiInstaller,
    RefKind.REMOTE: RemoteInstaller,
    RefKind.CMD: CommandInstaller,
}


def installer_for(ref: Ref, bench: Bench) -> Installer:
    """Return the installer for ``ref``. Raises :class:`InstallFailed` for a kind that none is there for."""
    kind = BUILT_IN.get(ref.kind)
    if kind is None:
        raise InstallFailed(
            f"references of the kind {ref.kind.value} cannot be installed yet",
            f"use one of {', '.join(sorted(known.value for known in BUILT_IN))}",
        )
    return kind(bench)
