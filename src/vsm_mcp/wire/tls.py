"""The one TLS context of this process: it trusts what the machine trusts."""

from __future__ import annotations

import asyncio
import functools
import ssl


@functools.cache
def _made() -> ssl.SSLContext:
    return ssl.create_default_context()


async def context() -> ssl.SSLContext:
    """Return the shared context; the first time costs some 30 ms of reading certificates, which a thread does."""
    return await asyncio.to_thread(_made)
