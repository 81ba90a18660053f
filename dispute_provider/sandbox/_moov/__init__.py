"""Moov's API in the sandbox."""
