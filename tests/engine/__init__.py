"""Tests on the real engine: Airflow's own processes, its database, its retries. ``make engine``."""
