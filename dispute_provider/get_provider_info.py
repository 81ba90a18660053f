"""Describe this provider to Airflow.

Airflow calls :func:`get_provider_info` at startup, before it imports anything else of this package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dispute_provider._config import OPTIONS

# The Test button of Airflow 3.3.2 sends a port of 0 where none is stored, and is refused for it
# (apache/airflow#73298).
_PORT = "0, or Test fails in Airflow 3.3.2"

# The fields that every connection type has. _transport/network.py reads them.
_NETWORK = {
    "proxy": {
        "label": "Proxy",
        "description": "http://host:port or http://user:password@host:port. Leave blank to use HTTPS_PROXY.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "ca_bundle": {
        "label": "Certificate authorities",
        "description": "PEM file or folder on the workers and the API server. Leave blank to use "
        "REQUESTS_CA_BUNDLE or SSL_CERT_FILE.",
        "schema": {"type": ["string", "null"]},
    },
    "client_cert": {
        "label": "Client certificate",
        "description": "PEM file with certificate and unencrypted key, or two: certificate.pem,key.pem.",
        "schema": {"type": ["string", "null"]},
    },
}

# Modules with operators that serve every API.
_OPERATORS = tuple(
    f"dispute_provider.operators.{name}"
    for name in ("evidence", "sweep", "remind", "tables", "call", "request")
)


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata in the format of ``airflow/provider_info.schema.json``."""
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
                "python-modules": [*api["operators"], *_OPERATORS],
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
        "notifications": ["dispute_provider.ConfiguredNotifier"],
        "extra-links": [
            "dispute_provider._tasks.links.DisputeLink",
            "dispute_provider._tasks.links.ReviewRunLink",
            "dispute_provider._tasks.links.ReferenceLink",
        ],
        "config": {
            "dispute": {
                "description": "Settings for contesting card disputes.",
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
                "description": "Must match the key. In live mode, disputes are real. Default: test.",
                "schema": {"type": ["string", "null"], "enum": ["test", "live"], "default": "test"},
            },
            "account": {
                "label": "Connected account",
                "description": "With Connect: acct_… to act for. Leave blank for the key's own account.",
                "schema": {"type": ["string", "null"]},
            },
            "context": {
                "label": "Context",
                "description": "For an organization's key: the account to act for, acct_… or acct_…/acct_….",
                "schema": {"type": ["string", "null"]},
            },
            "api_version": {
                "label": "API version",
                "description": "Always sent as Stripe-Version. Leave blank for 2026-10-28.endive.",
                "schema": {"type": ["string", "null"]},
            },
            "rate_limit": {
                "label": "Requests per second",
                "description": "Maximum per task. Leave blank for Stripe's documented limits.",
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
                "description": "UUID of the platform's account, not of the merchant's.",
                "schema": {"type": ["string", "null"]},
            },
            "mode": {
                "label": "Mode",
                "description": "Must match the account. In production, disputes are real. Default: sandbox.",
                "schema": {
                    "type": ["string", "null"],
                    "enum": ["sandbox", "production"],
                    "default": "sandbox",
                },
            },
            "auth": {
                "label": "Authentication",
                "description": "basic sends the keys; oauth2 sends a short-lived token. Default: basic.",
                "schema": {"type": ["string", "null"], "enum": ["basic", "oauth2"], "default": "basic"},
            },
            "api_version": {
                "label": "API version",
                "description": "Leave blank for v2024.01.00. latest is Moov's version in development.",
                "schema": {"type": ["string", "null"]},
            },
            "origin": {
                "label": "Origin",
                "description": "For keys restricted to a domain: that domain, as https://…",
                "schema": {"type": ["string", "null"]},
            },
            "rate_limit": {
                "label": "Requests per second",
                "description": "Maximum per task. Leave blank for 10.",
                "schema": {"type": ["number", "null"]},
            },
            **_NETWORK,
        },
    }


APIS: list[Callable[[], dict[str, Any]]] = [_stripe, _moov]
"""One entry per API: its integration, the modules of its own operators, and its connection type."""
