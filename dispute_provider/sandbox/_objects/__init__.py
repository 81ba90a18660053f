"""Model the APIs' objects: the sandbox's state, and its form in answers."""
