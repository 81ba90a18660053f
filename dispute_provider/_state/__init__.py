"""Store data between tries of a task, between runs, and permanently."""
