"""Compare staging with other ways to call an API from a DAG: ``python -m bench``."""
