"""What is remembered between tries, between runs, and for good."""
