"""What makes a process quicker that answers one question and ends: a tenth of a second of a search is spared."""

from __future__ import annotations

import atexit
import gc
import os
from collections.abc import Mapping
from typing import Final

_THREADS: Final = "OPENBLAS_NUM_THREADS"


def be_brief(environ: Mapping[str, str]) -> None:
    """Have this process collect no garbage, neither now nor in the end, and numpy start no threads.

    Whatever circles one answer leaves behind, the kernel takes back with the rest. numpy's threads would wait busily
    for work that one need is too small for; a number that is set in ``environ`` stays. Call it before numpy is
    imported, and never in a process that goes on.
    """
    gc.disable()
    atexit.register(gc.freeze)
    if _THREADS not in environ:
        os.putenv(_THREADS, "1")  # for libraries alone, which ask the system
