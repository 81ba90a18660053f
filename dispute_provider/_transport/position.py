"""Define the order in which requests of a batch are sent. No other imports, because DAG files import it."""

from __future__ import annotations

from contextvars import ContextVar

position: ContextVar[int] = ContextVar("position", default=0)
"""The position of the item in its batch that requests are made for; 0, the default, outside of batches."""
