"""The DAGs that this provider ships, as examples and to use as they are."""
