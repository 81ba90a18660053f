"""Evidence as values: cases, snapshots, digests, records, reviews. Pure; knows no Airflow and no HTTP."""
