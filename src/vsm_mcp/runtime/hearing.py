"""Who is told what servers say and show, and who gives what they need: what the supervisor is given by its owner."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Raw

from vsm_mcp.model.definition import Offer
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.wire.authorizer import Authorizer

SecretsOf = Callable[[str], Mapping[str, str]]
"""A server's name → its secrets."""
OnOffer = Callable[[str, Offer], None]
"""Hears a server's name and what it offers."""
OnUpdated = Callable[[str, str], None]
"""Hears a server's name and the URI of a watched resource that changed."""
OnSaid = Callable[[str, str, str, Raw], None]
"""Hears a server's name, the session a process is for (empty: shared), and method and params of what it says."""
OnStateful = Callable[[str], None]
"""Hears the name of a server that was found to need a process for each session."""
AuthorizerOf = Callable[[ServerSpec], Authorizer | None]
"""How a server elsewhere is reached → who authorizes the requests to it."""


def nobody(*_news: object) -> None:
    """Drop the news."""


def no_secrets(_name: str) -> dict[str, str]:
    """Know no secret beside those in a server's settings."""
    return {}
