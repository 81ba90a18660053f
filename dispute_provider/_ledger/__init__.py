"""Lock each dispute between tasks, runs, connections and deployments, and keep what came of each claim."""
