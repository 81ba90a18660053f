"""One client: pools of connections, limits, retries."""
