"""A secret that a setting refers to: ``env:NAME`` or ``file:PATH``. Settings hold the reference, never the secret."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from vsm_mcp.errors import ConfigError

_HINT: Final = "write env:NAME for a variable, or file:PATH for a file that only you can read"
_MOST_BYTES: Final = 16 * 1024


class Secret:
    """A value that shows itself to nobody: not in a message, not in a log, not in a traceback."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)

    def reveal(self) -> str:
        """Return the value, for the one header that it belongs in."""
        return self._value


def read_secret(reference: str, environ: Mapping[str, str], setting: str) -> Secret:
    """Return what ``reference`` names, stripped; an empty reference, and a variable that is not set, give no secret.

    Raises :class:`ConfigError`, naming the ``setting`` and never its value: somebody may have written the secret there.
    """
    kind, colon, name = reference.partition(":")
    if not reference:
        return Secret("")
    if not colon or kind not in {"env", "file"} or not name:
        raise ConfigError(f"{setting} is no reference to a secret", _HINT)
    if kind == "env":
        return _usable(environ.get(name, "").strip(), setting)
    return _usable(_content(Path(name).expanduser(), setting), setting)


def _content(path: Path, setting: str) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{setting}: {path} cannot be read: {error}", _HINT) from error


def _usable(value: str, setting: str) -> Secret:
    if not value.isprintable() or not value.isascii():
        raise ConfigError(f"{setting} names a secret that cannot go into a header", _HINT)
    return Secret(value)
