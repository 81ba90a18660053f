"""The evidence viewer: a page inside Airflow's UI that shows a reviewer all of what goes out."""
