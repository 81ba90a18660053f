"""The DAGs of this provider; use them unchanged or as examples."""
