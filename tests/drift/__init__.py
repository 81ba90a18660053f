"""Our contracts against reference copies of the APIs' own, which stand outside of this repository."""
