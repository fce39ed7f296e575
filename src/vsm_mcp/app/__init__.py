"""Composition root: builds the parts of one home, wires them, owns the root task group, shuts down.

``async with App.open(config) as app: await app.acquire("factor a polynomial")`` is the whole of embedding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vsm_mcp.app.application import App

__all__ = ["App"]


def __getattr__(name: str) -> Any:
    """Load the app when it is asked for: the command line reaches a running daemon without it (PEP 562)."""
    if name == "App":
        from vsm_mcp.app.application import App  # noqa: PLC0415

        return App
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
