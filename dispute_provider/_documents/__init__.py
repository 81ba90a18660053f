"""Inspect and draw untrusted documents in a child process with limited memory, time and permissions."""

from __future__ import annotations

from dispute_provider._documents.renderer import Budget, Renderer, RenderingError
from dispute_provider._evidence.documents import Inspection

__all__ = ["Budget", "Inspection", "Renderer", "RenderingError"]
