"""The world of an episode: virtual time, the wire, mortal workers, stores, and a reduced Airflow."""
