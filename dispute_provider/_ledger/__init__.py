"""Lock each dispute across tasks, runs, connections and deployments, and record the result of each claim."""
