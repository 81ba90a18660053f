"""Moov's side of the sandbox."""
