"""JSON as people write it into settings: with comments, and with commas after the last item. Pure.

Linear in the length of the text, whatever is in it: files of strangers' projects are read with this.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

# A string or a comment that is not closed reaches to where it must end, so that nothing is looked at twice.
_STRING: Final = r'"(?:[^"\\\n]|\\.)*"?'
_COMMENT: Final = re.compile(rf"{_STRING}|//[^\n]*|/\*(?:(?!\*/).)*(?:\*/)?", re.DOTALL)
_LAST_COMMA: Final = re.compile(rf"{_STRING}|,(?=\s*[}}\]])", re.DOTALL)


DEEPEST: Final = 60
"""How far what people write is nested at most: whoever walks through it may do so by recursion."""


def loads(text: str) -> Any:
    """Read a text; an empty one is ``{}``.

    Raises ``ValueError`` saying where, and nothing of what the text holds. Lines and columns are those of the text.
    """
    if not text.strip():
        return {}
    try:
        try:
            document = json.loads(text)
        except json.JSONDecodeError:
            document = json.loads(_LAST_COMMA.sub(_blank, _COMMENT.sub(_blank, text)))
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except ValueError:
        raise ValueError("it holds a number with too many digits") from None
    if too_deep(document):
        raise ValueError("it is nested too deep")
    return document


def too_deep(document: Any) -> bool:
    """Return whether a document of any form is nested deeper than :data:`DEEPEST`."""
    level = [document]
    for _ in range(DEEPEST):
        inner = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, (dict, list)))
        level = [each for some in inner for each in some if isinstance(each, (dict, list))]
        if not level:
            return False
    return True


def _blank(token: re.Match[str]) -> str:
    """Blank a comment or a comma; lines stay where they are."""
    text = token[0]
    return text if text.startswith('"') else re.sub(r"[^\n]", " ", text)
