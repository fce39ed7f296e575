"""Where a server is: its URL, read once, and never shown whole (path and query may hold secrets)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from vsm_mcp.errors import TransportError

_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_UNQUOTED: Final = "%/:@!$&'()*+,;=~-._?"


class Address(msgspec.Struct, frozen=True):
    """One address: ``host`` as it is looked up (ASCII, IPv6 without brackets), ``target`` as HTTP asks for it."""

    scheme: str
    host: str
    port: int
    target: str

    def __repr__(self) -> str:
        return f"Address({self.origin!r})"

    @property
    def secure(self) -> bool:
        """Whether it is spoken to over TLS."""
        return self.scheme in {"https", "wss"}

    @property
    def authority(self) -> str:
        """Host and port as a ``Host`` header has them: without a port that goes without saying."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS.get(self.scheme) else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port: all of it that may be shown."""
        return f"{self.scheme}://{self.authority}"

    def joined(self, location: str) -> Address:
        """Return the http(s) address that ``location`` means here, relative or not. Raises :class:`TransportError`."""
        try:
            return read_address(urljoin(self.origin + self.target, location), {"http", "https"})
        except ValueError:
            raise TransportError("the server names an address that cannot be read") from None


def read_address(url: str, schemes: Collection[str]) -> Address:
    """Read a URL of one of the ``schemes``.

    Raises :class:`TransportError` for one that cannot be read, has another scheme, holds credentials, or lacks a port
    where its scheme has none of its own. The message repeats nothing of the URL.
    """
    if any(char <= " " or char == "\x7f" for char in url):  # urlsplit would drop some of them in silence
        raise TransportError("the server's URL cannot be read: it holds blanks or control characters")
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("ascii" if ":" in parts.netloc[:2] else "idna").decode()
        port = parts.port or _PORTS.get(parts.scheme, 0)
        target = quote(parts.path or "/", _UNQUOTED) + (f"?{quote(parts.query, _UNQUOTED)}" if parts.query else "")
    except ValueError:
        raise TransportError("the server's URL cannot be read") from None
    if parts.scheme not in schemes:
        raise TransportError(f"the server's URL is not one of {', '.join(sorted(schemes))}")
    if not host:
        raise TransportError("the server's URL names no host")
    if "@" in parts.netloc:
        raise TransportError("the server's URL holds credentials", "give them as a header, with --secret")
    if not port:
        raise TransportError("the server's URL names no port", f"write {parts.scheme}://HOST:PORT")
    return Address(parts.scheme, host, port, target)
