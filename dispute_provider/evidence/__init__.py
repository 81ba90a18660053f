"""Evidence as values: cases, what an API holds of them, digests, records. Pure; knows no Airflow and no HTTP."""
