"""Disputes of both APIs on a real Airflow, from sweep to outcome, against the sandbox: ``python -m demo``."""
