"""How fast staging is, beside what else a DAG could be made of: ``python -m bench``."""
