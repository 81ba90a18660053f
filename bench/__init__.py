"""Compare staging with what else a DAG could be made of: ``python -m bench``."""
