"""Check that the wheel works with old and new releases of its requirements: install, tests, demo."""
