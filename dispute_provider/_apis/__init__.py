"""API modules: read, list, stage, submit and concede the disputes of each API."""
