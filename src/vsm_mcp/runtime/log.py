"""What a server writes on stderr: to its log, bounded and clean, with every secret replaced."""

from __future__ import annotations

import contextlib
import os
import re
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_CONTROL: Final = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f]"
)
_LONGEST_LINE: Final = 64 * 1024
_SHORTEST_SECRET: Final = 4
_TAIL_LINES: Final = 50
_TAIL_BYTES: Final = 8 * 1024


class Redactor:
    """Replaces secrets by ``***``: whole, and each line of one that has several. Too short ones would hit words."""

    def __init__(self, secrets: Iterable[str]) -> None:
        parts = {part for secret in secrets for part in (secret, *secret.splitlines())}
        known = sorted((part.strip().encode() for part in parts), key=len, reverse=True)
        self._known = [part for part in known if len(part) >= _SHORTEST_SECRET]
        self.overlap = len(self._known[0]) if self._known else 1

    def clean(self, text: bytes) -> bytes:
        """Return text without secrets."""
        for part in self._known:
            text = text.replace(part, b"***")
        return text


class RotatedFile:
    """An append-only file of at most ``limit`` bytes, and the one before it (``.1``). A full disk loses lines."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self.limit = limit
        self._descriptor = -1
        self._size = 0

    def write(self, data: bytes) -> None:
        """Append; open and rotate as needed."""
        try:
            if self._descriptor < 0:
                self._open()
            if self._size and self._size + len(data) > self.limit:
                self.close()
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
                self._open()
            self._size += os.write(self._descriptor, data[-self.limit :] if self.limit else data)
        except OSError:
            self.close()

    def close(self) -> None:
        """Close the file; writing opens it again."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._path, flags, 0o600)
        self._size = os.fstat(self._descriptor).st_size


class Lines:
    """Bytes in chunks → clean lines in the log, the last of them in memory.

    Terminal sequences and control characters are taken out; a line of more than 64 KiB is cut into several.
    """

    def __init__(self, file: RotatedFile, redactor: Redactor, prefix: bytes = b"") -> None:
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._file = file
        self._redactor = redactor
        self._prefix = prefix
        self._rest = bytearray()
        self.count = 0

    def feed(self, chunk: bytes) -> None:
        """Take a chunk."""
        end = chunk.rfind(b"\n")
        if end >= 0:
            whole = (bytes(self._rest) + chunk[:end]).split(b"\n")
            self._rest = bytearray(chunk[end + 1 :])
            self._put(whole)
        else:
            self._rest += chunk
        if len(self._rest) > _LONGEST_LINE:
            clean = self._redactor.clean(bytes(self._rest))
            cut = max(len(clean) - self._redactor.overlap, 0)  # a secret may go on in the next chunk
            self._rest = bytearray(clean[cut:])
            self._put([clean[:cut]])

    def finish(self) -> None:
        """Take what is left as the last line."""
        rest, self._rest = bytes(self._rest), bytearray()
        if rest:
            self._put([rest])

    def last(self) -> tuple[str, ...]:
        """Return the last lines, at most 50 and 8 KiB."""
        kept: list[str] = []
        size = 0
        for line in reversed(self.tail):
            size += len(line) + 1
            if size > _TAIL_BYTES:
                break
            kept.append(line)
        return tuple(reversed(kept))

    def _put(self, lines: list[bytes]) -> None:
        clean = [_CONTROL.sub(b"", self._redactor.clean(line)) for line in lines]
        clean = [line for line in clean if line.strip()]
        if clean:
            self._file.write(b"".join(self._prefix + line + b"\n" for line in clean))
            self.count += len(clean)
            self.tail.extend(line[:_TAIL_BYTES].decode("utf-8", "replace") for line in clean[-_TAIL_LINES:])
