"""A command that checks case files: ``python -m dispute_provider.cases``."""
