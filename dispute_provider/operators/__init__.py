"""Operators. Importing them is cheap: hooks, contracts and jsonschema load when a task first uses them."""
