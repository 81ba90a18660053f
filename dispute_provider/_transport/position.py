"""Define the order in which the requests of a batch are sent."""

from __future__ import annotations

from contextvars import ContextVar

position: ContextVar[int] = ContextVar("position", default=0)
"""The position of the item in its batch that requests are made for; 0, the default, outside of batches."""
