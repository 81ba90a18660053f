"""What Stripe's operators put on the wire, byte for byte. The expected bytes were written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from support import Connect

from dispute_provider.operators.stripe import (
    StripeCloseDisputeOperator,
    StripeGetDisputeOperator,
    StripeListDisputesOperator,
    StripeUpdateDisputeOperator,
    StripeUploadFileOperator,
)
from dispute_provider.sandbox import Sandbox

from conftest import Run

FILE = "file_1MvBaG4k"


@pytest.fixture
def dispute(sandbox: Sandbox, connect: Connect) -> str:
    """An open dispute with some evidence, among it a document, and two keys of metadata."""
    connect("stripe", extra={"api_version": "2026-09-30.endive"})
    made = sandbox.create_dispute(
        api="stripe",
        evidence={"customer_name": "Before", "uncategorized_file": {"id": FILE, "filename": "a.pdf"}},
        metadata={"order": "10432", "shop": "north"},
    )
    return str(made["id"])


def only(sandbox: Sandbox, operation: str) -> dict[str, Any]:
    """The one call of an operation that arrived."""
    (entry,) = sandbox.journal(operation=operation)
    return entry
