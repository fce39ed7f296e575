"""How the daemon's process deals with memory: measured on the call path, where it is most of what is left to save."""

from __future__ import annotations

import ctypes
import gc
from typing import Final

from vsm_mcp.events import Event, ServerCrashed, ServerStopped

_MEBIBYTE: Final = 1024 * 1024
# glibc's mallopt(3): answers of a megabyte come from the heap and stay with it, instead of a map and an unmap each.
_MALLOC: Final = {"M_MMAP_THRESHOLD": (-3, 32 * _MEBIBYTE), "M_TRIM_THRESHOLD": (-1, 64 * _MEBIBYTE)}
_COLLECTIONS: Final = (20_000, 20, 50)


def settle() -> None:
    """Prepare a process that will serve for long; call it once it is set up.

    What start-up made is looked at by the garbage collector no more (next to nothing of it could be freed, which is not
    worth the time of looking), what calls make only after many of them.
    """
    gc.freeze()
    gc.set_threshold(*_COLLECTIONS)
    gc.enable()  # whoever starts fast has it disabled until now
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # another C library has none, and other habits
        for option, value in _MALLOC.values():
            mallopt(option, value)


class Sweeper:
    """Has the garbage collector look when processes of servers have ended: a subscriber.

    What there was of one are some ten kilobytes in circles, old enough to be looked at only after millions of calls.
    """

    def __init__(self) -> None:
        self._due = False

    def __call__(self, event: Event) -> None:
        """Take note of an end."""
        self._due = self._due or isinstance(event, (ServerStopped, ServerCrashed))

    def sweep(self) -> None:
        """Look, if anything has ended since the last time."""
        if self._due:
            self._due = False
            gc.collect()
