"""What the tasks of the workflow share in Airflow: lists, retries, links, progress, notifications."""
