"""Tells the workers of one machine apart, for ``[core] hostname_callable``."""

from __future__ import annotations

import os
import socket


def hostname() -> str:
    """The worker's name."""
    return os.environ.get("SCALE_WORKER") or socket.gethostname()
