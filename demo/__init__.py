"""Contest the sandbox's disputes on a real Airflow, from sweep to outcome: ``python -m demo``."""
