"""Make the calls that cannot be undone, each once: submit, concede, put evidence back."""
