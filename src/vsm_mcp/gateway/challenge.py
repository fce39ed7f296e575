"""The endpoint as an OAuth protected resource: its metadata, and the challenges that lead clients to it.

Sources: RFC 9728 (protected resource metadata), RFC 6750, section 3 (``WWW-Authenticate: Bearer``), specification
2026-07-28, "Authorization" and "Authorization Server Discovery".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, Final
from urllib.parse import urlsplit

from vsm_mcp.errors import VsmError
from vsm_mcp.gateway.messages import encode

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
_REALM: Final = 'realm="vsm-mcp"'
_PROFILE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Rejected(VsmError):
    """Credentials that are not good here; the message says why, to whoever presented them.

    ``error`` is a code of RFC 6750, section 3.1: ``invalid_token``, ``insufficient_scope`` or ``invalid_request``.
    ``genuine`` says that they were good once: their holder is nobody who guesses.
    """

    code: ClassVar[str] = "rejected"
    remedy: ClassVar[str] = "ask whoever runs this gateway for a key: vsm-mcp key create NAME"

    def __init__(self, message: str, error: str = "invalid_token", *, genuine: bool = False) -> None:
        super().__init__(message)
        self.error = error
        self.genuine = genuine


class Resource:
    """The endpoint under the URL that clients know, e.g. ``https://mcp.example.com/mcp``, and who issues its tokens."""

    def __init__(self, url: str, issuer: str, scopes: Iterable[str] = (), path: str = "/mcp") -> None:
        self.url = canonical(url)
        self.issuer = issuer
        self.scopes = tuple(scopes)
        parts = urlsplit(self.url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        # A proxy may give the endpoint another path; it is asked for under either.
        self._bases = (path, parts.path)

    def profiles(self, audience: Iterable[str]) -> tuple[str, ...]:
        """Return patterns over the profiles that a token for ``audience`` opens; none when it is not for us.

        A token for the endpoint opens every profile, one for ``…/mcp/NAME`` that profile alone (specification
        2026-07-28, "Token Audience Binding and Validation").
        """
        found = [canonical(entry) for entry in audience]
        if self.url in found:
            return ("*",)
        inside = (entry.removeprefix(f"{self.url}/") for entry in found if entry.startswith(f"{self.url}/"))
        return tuple(name for name in inside if _PROFILE.fullmatch(name))

    def document(self, path: str) -> bytes | None:
        """Return the metadata at a path (RFC 9728, sections 2 and 3), or ``None`` for any other path."""
        if not path.startswith(WELL_KNOWN):
            return None
        profile = self._profile_at(path[len(WELL_KNOWN) :])
        if profile is None:
            return None
        document: dict[str, object] = {
            "resource": self._url_of(profile),
            "authorization_servers": [self.issuer],
            "bearer_methods_supported": ["header"],
            "resource_name": "VSM-MCP",
        }
        if self.scopes:
            document["scopes_supported"] = self.scopes
        return encode(document)

    def metadata_url(self, profile: str) -> str:
        """Return where the metadata of a profile is (RFC 9728, section 3.1); of what cannot be one, the endpoint's."""
        named = profile if _PROFILE.fullmatch(profile) else ""
        return f"{self._origin}{WELL_KNOWN}{self._url_of(named)[len(self._origin) :]}"

    def _url_of(self, profile: str) -> str:
        return f"{self.url}/{profile}" if profile else self.url

    def _profile_at(self, rest: str) -> str | None:
        if rest in {"", "/"}:
            return ""
        for base in self._bases:
            if rest == base:
                return ""
            if rest.startswith(f"{base}/") and _PROFILE.fullmatch(name := rest[len(base) + 1 :]):
                return name
        return None


def challenge(resource: Resource | None, profile: str, rejected: Rejected | None) -> tuple[bytes, bytes]:
    """Return the ``WWW-Authenticate`` field; without credentials it names no error (RFC 6750, section 3.1)."""
    members = [_REALM] if resource is None else []
    if rejected is not None:
        members += [f'error="{rejected.error}"', f'error_description="{rejected.message}"']
    if resource is not None:
        members.append(f'resource_metadata="{resource.metadata_url(profile)}"')
        if resource.scopes:
            members.append(f'scope="{" ".join(resource.scopes)}"')
    return b"www-authenticate", f"Bearer {', '.join(members)}".encode("latin-1", "replace")


def canonical(url: str) -> str:
    """Return a URL with scheme and host in lower case and no slash at its end; anything else as it is.

    Specification 2026-07-28, "Canonical Server URI".
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if not parts.netloc:
        return url
    return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()).geturl().rstrip("/")
