"""Find placeholders in texts that nobody will fill in. Pure."""

from __future__ import annotations

import re

# A value or a statement of Jinja, and a variable as shells write it.
_PLACEHOLDER = re.compile(
    r"\{\{-?\s*[^\W\d][^{}]{0,200}\}\}|\{%-?\s*[a-z][^{}]{0,200}%\}|\$\{[^\W\d][\w.]*\}"
)
PROBLEM = "has a placeholder such as {{ order.number }}, and is sent with it: only templates are filled in"
REMEDY = "write its value, or move the text to a template"


def has_placeholder(text: str) -> bool:
    """Return whether a text has a placeholder, such as ``{{ order.number }}`` or ``${ORDER}``."""
    return _PLACEHOLDER.search(text) is not None
