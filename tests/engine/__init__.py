"""Tests on a real Airflow: its processes, its database, its retries. Run them with ``make engine``."""
