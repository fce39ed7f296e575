"""What podman and docker say when they cannot start a container. Pure."""

from __future__ import annotations

import re
from typing import Final

from vsm_mcp.model.trial import Cause
from vsm_mcp.runtime.last_words import LastWords

_GONE: Final = re.compile(r"image not known|no such image|unable to find image", re.IGNORECASE)
_ENGINE: Final = re.compile(r"OCI runtime|OCI permission denied", re.IGNORECASE)
_NO_PROGRAM: Final = re.compile(r"executable file .*not found|exec .*: no such file", re.IGNORECASE)


def container(words: LastWords, _text: str) -> Cause | None:
    """Return the cause where the last line is the engine's, not the server's."""
    last = "".join(words.lines[-1:])
    if _GONE.search(last):
        return Cause(
            code="image_gone", message="its image is not on this machine any more", hint="add it again: vsm-mcp add REF"
        )
    if _ENGINE.search(last) and _NO_PROGRAM.search(last):
        return Cause(
            code="broken_entry", message=f"its image lacks its own program: {last[:300]}", hint="choose another image"
        )
    if _ENGINE.search(last):
        return Cause(
            code="engine_failed",
            message=f"its container cannot be started: {last[:300]}",
            hint="vsm-mcp doctor says whether containers can be run here",
        )
    return None
