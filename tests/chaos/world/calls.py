"""Tell apart the requests that arrive at the sandbox."""

from __future__ import annotations

from dispute_provider.sandbox._wire import Call

CONCEDING = ("PostDisputesDisputeClose", "acceptDispute")


def is_final(call: Call) -> bool:
    """Whether it submits or concedes."""
    return call.operation in CONCEDING or is_submission(call)


def is_submission(call: Call) -> bool:
    """Whether it submits."""
    if call.operation == "submitDisputeEvidence":
        return True
    return call.operation == "PostDisputesDispute" and b"submit=true" in call.body


def is_reading(call: Call) -> bool:
    return call.method == "GET" or call.operation == "createAccessToken"
