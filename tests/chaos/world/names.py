"""Name what must be known before Airflow is imported."""

SECOND_STRIPE_KEY = "rk_test_second"
