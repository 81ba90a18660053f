"""The same DAGs past one machine: PostgreSQL, Redis, the CeleryExecutor, and workers that are killed."""
