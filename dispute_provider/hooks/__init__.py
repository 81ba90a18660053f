"""Connections, authentication, transport, and each API's protocol of staging and submitting."""
