"""Airflow hooks: one for each API."""
