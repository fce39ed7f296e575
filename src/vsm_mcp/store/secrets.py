"""Secrets of servers: one file per acquisition, readable by its owner only, outside the database.

A secret goes from here into the environment of that one server's process and nowhere else. The file is named by the
acquisition, not by the server: a new one can be written and taken back without touching what is in service.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from vsm_mcp.errors import HomeError, StoreError


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

    def remove(self, acquisition: str) -> None:
        """Forget the secrets of one acquisition; idempotent."""
        with contextlib.suppress(FileNotFoundError):
            (self._folder / f"{acquisition}.json").unlink()
