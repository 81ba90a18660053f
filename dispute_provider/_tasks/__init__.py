"""Shared code of the tasks in Airflow: lists, retries, links, progress, notifications."""
