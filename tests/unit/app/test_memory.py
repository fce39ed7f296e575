from __future__ import annotations

import gc
import weakref

from vsm_mcp.app.memory import Sweeper
from vsm_mcp.events import ServerStarted, ServerStopped


class Circle:
    def __init__(self) -> None:
        self.itself = self


def test_what_a_process_leaves_goes_once_it_has_ended() -> None:
    gc.disable()
    try:
        sweeper, made = Sweeper(), weakref.ref(Circle())
        sweeper(ServerStarted(server="a", pid=1, era="modern", tier="full", seconds=0.1))
        sweeper.sweep()
        assert made() is not None
        sweeper(ServerStopped(server="a", reason="x"))
        sweeper.sweep()
        assert made() is None
        again = weakref.ref(Circle())
        sweeper.sweep()
        assert again() is not None
    finally:
        gc.enable()
