"""Decoys: files that nobody needs, planted in the home of a server on trial, each with contents of its own.

That one is opened says that the server looks where it has no business; that its contents turn up in what the server
says or sends says what for. Pure, but for the random part.
"""

from __future__ import annotations

import base64
import secrets
from typing import Final

import msgspec

from vsm_mcp.sandbox.confinement import HOME

SSH: Final = f"{HOME}/.ssh/id_rsa"
AWS: Final = f"{HOME}/.aws/credentials"
BROWSER: Final = f"{HOME}/.config/google-chrome/Default/Login Data"
ENV: Final = f"{HOME}/.env"
PATHS: Final = (SSH, AWS, BROWSER, ENV)


class Decoys(msgspec.Struct, frozen=True, kw_only=True):
    """The planted ``files`` (path → contents) and, for each, what gives its contents away."""

    files: dict[str, bytes]
    marks: dict[str, tuple[bytes, ...]]

    @property
    def longest(self) -> int:
        """The length of the longest mark."""
        return max(len(mark) for marks in self.marks.values() for mark in marks)

    def seen_in(self, data: bytes) -> set[str]:
        """Return the paths of those whose contents are in some bytes: as they are, in base64 or in hexadecimal."""
        return {path for path, marks in self.marks.items() if any(mark in data for mark in marks)}


def plant(random: bytes = b"") -> Decoys:
    """Return decoys that no other trial has; ``random`` (64 bytes) is for tests."""
    seed = random or secrets.token_bytes(64)
    files: dict[str, bytes] = {}
    marks: dict[str, tuple[bytes, ...]] = {}
    for number, path in enumerate(PATHS):
        word = seed[number * 16 : number * 16 + 16].hex()
        files[path] = _contents(path, word)
        marks[path] = _marks(word.encode())
    return Decoys(files=files, marks=marks)


def _contents(path: str, word: str) -> bytes:
    if path == SSH:
        body = base64.b64encode(f"openssh-key-v1 {word}".encode()).decode()
        text = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{word}{body}\n-----END OPENSSH PRIVATE KEY-----\n"
    elif path == AWS:
        text = f"[default]\naws_access_key_id = AKIA{word[:16].upper()}\naws_secret_access_key = {word}\n"
    elif path == ENV:
        text = f"BACKUP_PASSPHRASE={word}\n"  # a name that no server reads its settings from
    else:
        text = f"SQLite format 3\0{word}\n"
    return text.encode()


def _marks(word: bytes) -> tuple[bytes, ...]:
    """Return a word as it may be written; in base64, its middle under each of the three ways it can fall."""
    shifted = (base64.b64encode(b"\0" * pad + word)[4:-4] for pad in range(3))
    return (word, word.hex().encode(), *shifted)
