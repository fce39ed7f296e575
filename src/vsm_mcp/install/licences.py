"""What installed packages say of their licences: the server itself, and the Python packages beside it.

npm's lock says those of npm's packages. Format: core metadata (``License-Expression``, PEP 639; ``License`` and
classifiers before it).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from vsm_mcp.install.wheel import parsed
from vsm_mcp.model.ref import normalise_pypi

_METADATA: Final = "venv/lib/python*/site-packages/*.dist-info/METADATA"
_CLASSIFIER: Final = "License ::"
_LENGTH: Final = 100


def statements(root: Path) -> dict[str, tuple[str, ...]]:
    """Return what each Python package of an installation says, its best word first. Raises ``OSError``."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted(root.glob(_METADATA)):
        message = parsed(path.read_text("utf-8", "replace"))
        kinds = [str(each) for each in message.get_all("Classifier", []) if str(each).startswith(_CLASSIFIER)]
        said = [
            message.get("License-Expression"),
            message.get("License"),
            *(kind.rsplit("::", 1)[-1] for kind in kinds),
        ]
        name = normalise_pypi(str(message.get("Name", "")))
        found[name] = tuple(word for word in map(_word, said) if word)
    return found


def _word(said: Any) -> str:
    """Return a statement that is one; whole texts of licences stand in that field, too."""
    text = " ".join(str(said or "").split())
    return text if len(text) <= _LENGTH and text.lower() not in ("", "unknown", "none", "osi approved") else ""


def choices(said: str) -> Iterator[dict[str, Any]]:
    """Yield the ``licenses`` of a CycloneDX component for what its package says; nothing where it says nothing."""
    if not said:
        return
    try:
        expression = str(canonicalize_license_expression(said))
    except InvalidLicenseExpression:
        yield {"license": {"name": said}}
        return
    if " " in expression or expression.startswith("LicenseRef-"):
        yield {"expression": expression}
    else:
        yield {"license": {"id": expression}}
