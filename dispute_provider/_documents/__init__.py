"""Documents that anybody may have made: parsed in a bounded child process, and nowhere else."""

from __future__ import annotations

from dispute_provider._documents.renderer import Budget, Renderer, RenderingError
from dispute_provider._evidence.documents import Inspection

__all__ = ["Budget", "Inspection", "Renderer", "RenderingError"]
