"""What the programs under tests/ and the demo share: Airflow's processes, its REST API, sample documents."""
