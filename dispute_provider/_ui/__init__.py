"""The Evidence tab of Airflow's UI: it shows a reviewer the evidence that a submission would send."""
