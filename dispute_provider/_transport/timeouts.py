"""Define the timeouts of a call, and the largest response."""

from __future__ import annotations

# Seconds until there is a connection, and between two pieces of a response.
CONNECT_SECONDS = 10.0
READ_SECONDS = 80.0
# So many seconds after nobody waits for it any more, a request has arrived or never will: twice the longest
# time limit.
SETTLED_AFTER = 180.0
# Bytes of a response.
LARGEST_RESPONSE = 16 * 1024 * 1024
