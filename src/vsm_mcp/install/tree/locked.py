"""What a source tree needs from the registries, locked."""

from __future__ import annotations

import msgspec

from vsm_mcp.install.installer import Archive, Resolved
from vsm_mcp.model.ref import Ref


class LockedTree(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a :class:`~vsm_mcp.install.installer.Resolved` that a tree tells; the fields are the same."""

    lock: str = ""
    packages: dict[str, str] = {}
    requires: str = ""
    interpreter: str = ""
    scripts: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    build_lock: str = ""
    notes: tuple[str, ...] = ()

    def resolved(self, ref: Ref, version: str, archive: Archive | None = None) -> Resolved:
        """Return it as the resolution of a reference."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        return Resolved(ref=ref, version=version, archive=archive, **fields)
