"""Stripe's API in the sandbox."""
