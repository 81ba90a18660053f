"""Give each worker of this machine a host name, for ``[core] hostname_callable``."""

from __future__ import annotations

import os
import socket


def hostname() -> str:
    """Return the worker's name."""
    return os.environ.get("SCALE_WORKER") or socket.gethostname()
