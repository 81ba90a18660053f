"""Memory between tries, between runs, and for good."""
