"""The asynchronous client: connection pools, rate limits and retries."""
