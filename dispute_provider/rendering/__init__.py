"""Documents that anybody may have made: parsed in a bounded child process, and nowhere else."""

from __future__ import annotations

from dispute_provider.evidence.documents import Inspection
from dispute_provider.rendering.renderer import Renderer, RenderingError

__all__ = ["Inspection", "Renderer", "RenderingError"]
