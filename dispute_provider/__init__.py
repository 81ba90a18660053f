"""Dispute evidence for Airflow: Stripe and Moov."""

from __future__ import annotations

__version__ = "0.1.0"
