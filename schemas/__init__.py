"""The wire contracts and the case schema, as package data."""
