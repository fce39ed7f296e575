"""One look at one server, through all its checks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from vsm_mcp.errors import VsmError
from vsm_mcp.health.check import HealthCheck, Reading, Subject, unavailable

_MORE_SECONDS: Final = 1.0


async def look(checks: Mapping[str, HealthCheck], subject: Subject) -> dict[str, Reading]:
    """Return what each check sees. None waits for longer than a sign of life may take, and a second more."""
    return {name: await _read(check, subject) for name, check in checks.items()}


async def _read(check: HealthCheck, subject: Subject) -> Reading:
    try:
        async with asyncio.timeout(subject.settings.answer_seconds + _MORE_SECONDS):
            return await check.look(subject)
    except TimeoutError:
        return unavailable("the check took too long")
    except VsmError as error:
        return unavailable(error.message)
    except Exception as error:  # noqa: BLE001 - a plug-in that breaks says nothing about a server
        return unavailable(f"the check broke: {type(error).__name__}: {error}")
