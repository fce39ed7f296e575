"""Modules that are loaded when they are first used: what starts fast must not pay for what it may never need.

The way to write it, so that types are checked as ever::

    if TYPE_CHECKING:
        import aiohttp
    else:
        aiohttp = deferred("aiohttp")
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType


def deferred(name: str) -> ModuleType:
    """Return a top-level module that is executed at the first look at one of its members.

    Raises ``ModuleNotFoundError`` at once for one that is not installed (:class:`importlib.util.LazyLoader`).
    """
    loaded = sys.modules.get(name)
    if loaded is not None:
        return loaded
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
