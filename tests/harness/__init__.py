"""Tools of the programs under tests/ and of the demo: Airflow's processes, its REST API, sample documents."""
