"""Model cases, evidence, digests and records as values. Pure: imports neither Airflow nor HTTP."""
