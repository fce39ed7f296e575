"""What the decoder raises for text that is no JSON, is not in UTF-8, or nests too deep."""

from __future__ import annotations

from typing import Final

import msgspec

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
