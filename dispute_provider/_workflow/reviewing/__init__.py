"""Ask people about staged evidence, and decide what becomes of each dispute."""
