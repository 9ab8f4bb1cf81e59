"""Checks the names that users give to sessions."""

from __future__ import annotations

import re
import unicodedata

from gptkit.core.errors import UsageError
from gptkit.core.sanitize import one_line, visible

NAME_LIMIT = 100
"""The most characters of a name."""
_SEPARATORS = "/\\\u2044\u2215\u2216\u29f5\u29f8\u29f9\ufe68\uff0f\uff3c"
"""Slashes and backslashes of all widths: a name must not look like a path, even after NFKC."""
_DEVICES = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:[ .:].*)?\Z", re.IGNORECASE
)


def session_name(text: str) -> str:
    """Normalise a name to NFC, as it is stored. Raises UsageError for a name that is not allowed."""
    name = unicodedata.normalize("NFC", text.strip())
    problem = _problem(name)
    if problem:
        raise UsageError(f"'{one_line(text, NAME_LIMIT)}' cannot be the name of a session: {problem}")
    return name


def _problem(name: str) -> str:
    if not name:
        return "it is empty"
    if len(name) > NAME_LIMIT:
        return f"it has more than {NAME_LIMIT} characters"
    if name in (".", "..") or unicodedata.normalize("NFKC", name) in (".", ".."):
        return "it stands for a folder"
    if any(separator in name for separator in _SEPARATORS):
        return "it holds a path separator"
    if name.startswith("-"):
        return "it begins like an option"
    if visible(name) != name or "\n" in name or "\t" in name:
        return "it holds control or invisible characters"
    if _DEVICES.match(unicodedata.normalize("NFKC", name)):
        return "it is the name of a device"
    return ""
