"""Who may talk to the endpoint from a browser, and under which host name.

A page of any site can make a browser send requests to loopback; without these checks it could drive local servers by
DNS rebinding (specification, "Transports: Security Warning"). Where a key is asked for, the name alone opens nothing:
a page knows no key, and a browser never adds one by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_REMEMBERED: Final = 256

FORBIDDEN: Final = 403
MISDIRECTED: Final = 421


class Access:
    """Which ``Host`` and ``Origin`` values are served.

    Loopback names, with any port, are; ``hosts`` adds names (``NAME`` or ``NAME:PORT``) and ``origins`` whole origins
    (``https://NAME[:PORT]``). A request without ``Origin`` comes from no page and passes. ``any_host`` serves every
    host name.
    """

    def __init__(self, hosts: Iterable[str] = (), origins: Iterable[str] = (), *, any_host: bool = False) -> None:
        self._hosts = _LOOPBACK | {host.lower().strip("[]") for host in hosts}
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)
        self._any_host = any_host
        self._known_hosts: set[bytes] = set()

    def refusal(self, headers: Mapping[bytes, bytes]) -> int:
        """Return the status to refuse a request with: 421 for its host, 403 for its origin, 0 for neither."""
        host = headers.get(b"host", b"")
        if host not in self._known_hosts:
            if not self._host_served(host.decode("latin-1").lower()):
                return MISDIRECTED
            if len(self._known_hosts) < _REMEMBERED:
                self._known_hosts.add(host)
        origin = headers.get(b"origin")
        if origin is not None and not self._origin_served(origin.decode("latin-1").lower()):
            return FORBIDDEN
        return 0

    def shares_with(self, headers: Mapping[bytes, bytes]) -> bool:
        """Return whether a request comes from a page of one of the ``origins``, which may read the answer."""
        origin = headers.get(b"origin")
        return origin is not None and origin.decode("latin-1").lower() in self._origins

    def reads(self, headers: Mapping[bytes, bytes]) -> bool:
        """Return whether a client may read a WebSocket, which browsers let any page open: no page, or one of ours."""
        origin = headers.get(b"origin")
        if origin is None or self.shares_with(headers):
            return True
        return origin.partition(b"://")[2].lower() == headers.get(b"host", b"").lower()

    def _host_served(self, host: str) -> bool:
        return self._any_host or (bool(host) and (host in self._hosts or _without_port(host) in self._hosts))

    def _origin_served(self, origin: str) -> bool:
        if origin in self._origins:
            return True
        try:
            parts = urlsplit(origin)
            return parts.scheme in {"http", "https"} and parts.hostname in _LOOPBACK and not parts.path
        except ValueError:
            return False


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host
