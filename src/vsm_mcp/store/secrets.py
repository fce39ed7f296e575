"""Secrets of servers: one file per acquisition, readable by its owner only, outside the database.

A secret goes from here into the environment of that one server's process and nowhere else. The file is named by the
acquisition, not by the server: a new one can be written and taken back without touching what is in service.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from vsm_mcp.errors import HomeError, StoreError, VsmError

_OWN: Final = "gateway"
_KEY: Final = "seal"


class Secrets:
    """The folder ``secrets/`` of a home (mode 0700; files 0600)."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "secrets"

    def of(self, acquisition: str) -> dict[str, str]:
        """Return the secrets of one acquisition by variable name. Raises :class:`StoreError` when unreadable."""
        try:
            return msgspec.json.decode((self._folder / f"{acquisition}.json").read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            raise StoreError(
                "the secrets of a server cannot be read", "give them again with vsm-mcp add … --secret"
            ) from error

    def put(self, acquisition: str, values: Mapping[str, str]) -> None:
        """Write the secrets of one acquisition, atomically; none given removes the file."""
        if not values:
            self.remove(acquisition)
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd, partial = tempfile.mkstemp(dir=self._folder)
            with os.fdopen(fd, "wb") as file:
                file.write(msgspec.json.encode(dict(values)))
            Path(partial).replace(self._folder / f"{acquisition}.json")
        except OSError as error:
            raise HomeError(
                f"{self._folder} cannot be written: {error.strerror}", "check its owner and the disk"
            ) from error

    def acquisitions(self) -> set[str]:
        """Return the names under which secrets are kept: acquisitions, and others of the home itself."""
        return {file.stem for file in self._folder.glob("*.json")}

    def own_key(self) -> bytes:
        """Return the key with which this home seals what it gives to clients (32 bytes); made when first asked for.

        Where it can be neither read nor kept, a key for this process alone is returned: what was sealed before counts
        as forged then.
        """
        try:
            kept = self.of(_OWN).get(_KEY, "")
            if not kept:
                kept = secrets.token_hex(32)
                self.put(_OWN, {_KEY: kept})
            return bytes.fromhex(kept)
        except (VsmError, ValueError):
            return secrets.token_bytes(32)

    def remove(self, acquisition: str) -> None:
        """Forget the secrets of one acquisition; idempotent."""
        with contextlib.suppress(FileNotFoundError):
            (self._folder / f"{acquisition}.json").unlink()
