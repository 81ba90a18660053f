"""Describe this provider to Airflow, which reads it before it imports anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dispute_provider._config import OPTIONS

# The Test button of Airflow 3.3.2 sends a port of 0 where none is stored, and is refused for it
# (apache/airflow#73298).
_PORT = "0, or Test fails in Airflow 3.3.2"

# Either type of connection takes these; _transport/network.py reads them.
_NETWORK = {
    "proxy": {
        "label": "Proxy",
        "description": "http://host:port or http://user:password@host:port; blank for HTTPS_PROXY.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "ca_bundle": {
        "label": "Certificate authorities",
        "description": "PEM file or folder on the workers and the API server; blank for "
        "REQUESTS_CA_BUNDLE or SSL_CERT_FILE.",
        "schema": {"type": ["string", "null"]},
    },
    "client_cert": {
        "label": "Client certificate",
        "description": "PEM file with certificate and unencrypted key, or two: certificate.pem,key.pem.",
        "schema": {"type": ["string", "null"]},
    },
}


def get_provider_info() -> dict[str, Any]:
    """Provider metadata, as ``airflow/provider_info.schema.json`` describes it."""
    apis = [entry() for entry in APIS]
    return {
        "package-name": "dispute-provider",
        "name": "Disputes",
        "description": "Contest card disputes: stage, review and submit evidence to Stripe and Moov.",
        "integrations": [
            {
                "integration-name": api["integration"],
                "external-doc-url": api["external-doc-url"],
                "tags": ["service"],
            }
            for api in apis
        ],
        "operators": [
            {
                "integration-name": api["integration"],
                "python-modules": [*api["operators"], "dispute_provider.operators.evidence"],
            }
            for api in apis
        ],
        "hooks": [
            {
                "integration-name": api["integration"],
                "python-modules": [api["connection"]["hook-class-name"].rpartition(".")[0]],
            }
            for api in apis
        ],
        "connection-types": [api["connection"] for api in apis],
        "extra-links": [
            "dispute_provider._tasks.links.DisputeLink",
            "dispute_provider._tasks.links.ReviewRunLink",
        ],
        "config": {
            "dispute": {
                "description": "Contesting card disputes.",
                "options": {option.name: option.documentation() for option in OPTIONS},
            }
        },
    }


def _stripe() -> dict[str, Any]:
    return {
        "integration": "Stripe disputes",
        "external-doc-url": "https://docs.stripe.com/api/disputes",
        "operators": ["dispute_provider.operators.stripe"],
        "connection": _stripe_connection(),
    }


def _moov() -> dict[str, Any]:
    return {
        "integration": "Moov disputes",
        "external-doc-url": "https://docs.moov.io/api/money-movement/disputes/",
        "operators": ["dispute_provider.operators.moov"],
        "connection": _moov_connection(),
    }


def _stripe_connection() -> dict[str, Any]:
    return {
        "connection-type": "stripe",
        "hook-class-name": "dispute_provider.hooks.stripe.StripeHook",
        "hook-name": "Stripe",
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "login", "extra"],
            "relabeling": {
                "password": "Secret or restricted key",
                "host": "Stand-in host",
                "port": "Stand-in port",
            },
            "placeholders": {
                "password": "sk_test_… or rk_test_…",
                "host": "leave blank for Stripe itself",
                "port": _PORT,
            },
        },
        "conn-fields": {
            "mode": {
                "label": "Mode",
                "description": "Must match the key: live moves real money and is chosen by name.",
                "schema": {"type": ["string", "null"], "enum": ["test", "live"], "default": "test"},
            },
            "account": {
                "label": "Connected account",
                "description": "acct_… to act for, with Stripe Connect; blank for the key's own account.",
                "schema": {"type": ["string", "null"]},
            },
            "context": {
                "label": "Context",
                "description": "For an organization's key: acct_… to act for, or acct_…/acct_… with Connect.",
                "schema": {"type": ["string", "null"]},
            },
            "api_version": {
                "label": "API version",
                "description": "Blank for 2026-10-28.endive. Always sent as Stripe-Version.",
                "schema": {"type": ["string", "null"]},
            },
            "rate_limit": {
                "label": "Requests per second",
                "description": "At most so many from one task; blank for the API's own limits.",
                "schema": {"type": ["number", "null"]},
            },
            **_NETWORK,
        },
    }


def _moov_connection() -> dict[str, Any]:
    return {
        "connection-type": "moov",
        "hook-class-name": "dispute_provider.hooks.moov.MoovHook",
        "hook-name": "Moov",
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "extra"],
            "relabeling": {
                "login": "Public key",
                "password": "Secret key",
                "host": "Stand-in host",
                "port": "Stand-in port",
            },
            "placeholders": {"host": "leave blank for Moov itself", "port": _PORT},
        },
        "conn-fields": {
            "account": {
                "label": "Account",
                "description": "uuid of the platform's own account, not the merchant's.",
                "schema": {"type": ["string", "null"]},
            },
            "mode": {
                "label": "Mode",
                "description": "Must match the account: production moves real money and is chosen by name.",
                "schema": {
                    "type": ["string", "null"],
                    "enum": ["sandbox", "production"],
                    "default": "sandbox",
                },
            },
            "auth": {
                "label": "Authentication",
                "description": "basic sends the keys; oauth2 works with a short-lived token made from them.",
                "schema": {"type": ["string", "null"], "enum": ["basic", "oauth2"], "default": "basic"},
            },
            "api_version": {
                "label": "API version",
                "description": "Like v2024.01.00, which is the default; latest is what Moov still works on.",
                "schema": {"type": ["string", "null"]},
            },
            "origin": {
                "label": "Origin",
                "description": "For keys that are bound to a domain: https://… of that domain.",
                "schema": {"type": ["string", "null"]},
            },
            "rate_limit": {
                "label": "Requests per second",
                "description": "At most so many from one task; 10 where blank.",
                "schema": {"type": ["number", "null"]},
            },
            **_NETWORK,
        },
    }


APIS: list[Callable[[], dict[str, Any]]] = [_stripe, _moov]
"""An entry for each API: its integration, the modules of its own operators, and its connection type."""
