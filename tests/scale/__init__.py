"""Run the DAGs on PostgreSQL, Redis and the CeleryExecutor, and kill workers."""
