"""Define the timeouts of a call, and the maximum size of a response."""

from __future__ import annotations

# Seconds to wait for a connection, and between two chunks of a response.
CONNECT_SECONDS = 10.0
READ_SECONDS = 80.0
# Seconds after a timeout. By then, the request has arrived or never will: twice the longest timeout, and 20 s
# more.
SETTLED_AFTER = 180.0
# Maximum size of a response, in bytes.
LARGEST_RESPONSE = 16 * 1024 * 1024
