"""The review of staged evidence: its form, and the decisions that follow from an answer."""
