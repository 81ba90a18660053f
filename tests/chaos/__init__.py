"""The chaos campaign: the real operators against the sandbox, under every fault that we can think of."""
