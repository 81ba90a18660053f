"""Tools for programs under tests/ and the demo: Airflow's processes, its REST API, sample documents."""
