"""Contest card disputes at Stripe and Moov from Apache Airflow: stage, review and submit evidence.

Import the names of ``__all__`` from here. Each loads its module when it is first used, so that
``import dispute_provider`` loads neither Airflow nor an HTTP client. The single operators of each API are in
``dispute_provider.operators.stripe`` and ``dispute_provider.operators.moov``; the stand-in server is in
``dispute_provider.sandbox``. These names follow Semantic Versioning. Modules whose names begin with an
underscore may change in any release.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dispute_provider import _former_paths

if TYPE_CHECKING:
    from dispute_provider import _config as config
    from dispute_provider._cases.form import FormCase, form_params
    from dispute_provider._contracts.answers import Answer
    from dispute_provider._contracts.contract import Contract, Operation
    from dispute_provider._contracts.contract import load as load_contract
    from dispute_provider._contracts.encoding import FilePart
    from dispute_provider._evidence.case import Case
    from dispute_provider._evidence.policy import ApprovalPolicy
    from dispute_provider._evidence.record import Approval, Difference, Record, State
    from dispute_provider._explain.forms import case_params
    from dispute_provider._explain.reference import reference as operation_reference
    from dispute_provider._registry import APIS
    from dispute_provider._tasks.notifications import ConfiguredNotifier, reviewers
    from dispute_provider._tasks.operator_names import operator_name
    from dispute_provider._tasks.record_lists import records_of
    from dispute_provider._tasks.retry import ApiRetryPolicy
    from dispute_provider._tasks.run_records import RunRecords
    from dispute_provider.exceptions import (
        AmbiguousError,
        ApiError,
        AuthenticationError,
        ConflictError,
        ConnectionConfigError,
        DisputeError,
        InvalidCaseError,
        InvalidRequestError,
        LockedError,
        NotFoundError,
        OutdatedVersionError,
        PermissionDeniedError,
        RateLimitedError,
        ServerError,
        SigningKeyError,
        TryAgainError,
        UnreachableError,
        UnreadableAnswerError,
        Violation,
    )
    from dispute_provider.hooks.moov import MoovHook
    from dispute_provider.hooks.stripe import StripeHook
    from dispute_provider.operators._report_outcome import ReportOutcomeOperator
    from dispute_provider.operators._review_evidence import ReviewEvidenceOperator
    from dispute_provider.operators._stage_evidence import StageEvidenceOperator
    from dispute_provider.operators._submit_evidence import SubmitEvidenceOperator
    from dispute_provider.operators.call import CallOperator
    from dispute_provider.operators.remind import RemindOperator
    from dispute_provider.operators.request import RequestOperator
    from dispute_provider.operators.request import form as request_params
    from dispute_provider.operators.sweep import FindCasesOperator, OpenReviewOperator, RememberReviewOperator
    from dispute_provider.operators.tables import CasesFromSqlOperator

__version__ = "0.1.0"

__all__ = [
    "APIS",
    "AmbiguousError",
    "Answer",
    "ApiError",
    "ApiRetryPolicy",
    "Approval",
    "ApprovalPolicy",
    "AuthenticationError",
    "CallOperator",
    "Case",
    "CasesFromSqlOperator",
    "ConfiguredNotifier",
    "ConflictError",
    "ConnectionConfigError",
    "Contract",
    "Difference",
    "DisputeError",
    "FilePart",
    "FindCasesOperator",
    "FormCase",
    "InvalidCaseError",
    "InvalidRequestError",
    "LockedError",
    "MoovHook",
    "NotFoundError",
    "OpenReviewOperator",
    "Operation",
    "OutdatedVersionError",
    "PermissionDeniedError",
    "RateLimitedError",
    "Record",
    "RememberReviewOperator",
    "RemindOperator",
    "ReportOutcomeOperator",
    "RequestOperator",
    "ReviewEvidenceOperator",
    "RunRecords",
    "ServerError",
    "SigningKeyError",
    "StageEvidenceOperator",
    "State",
    "StripeHook",
    "SubmitEvidenceOperator",
    "TryAgainError",
    "UnreachableError",
    "UnreadableAnswerError",
    "Violation",
    "case_params",
    "config",
    "form_params",
    "load_contract",
    "operation_reference",
    "operator_name",
    "records_of",
    "request_params",
    "reviewers",
]

# The module of each public name, and the object's name there; a module alone is the object itself.
_PUBLIC = {
    # The workflow
    "StageEvidenceOperator": "operators._stage_evidence:StageEvidenceOperator",
    "ReviewEvidenceOperator": "operators._review_evidence:ReviewEvidenceOperator",
    "SubmitEvidenceOperator": "operators._submit_evidence:SubmitEvidenceOperator",
    "ReportOutcomeOperator": "operators._report_outcome:ReportOutcomeOperator",
    "ApprovalPolicy": "_evidence.policy:ApprovalPolicy",
    # The sweep
    "CasesFromSqlOperator": "operators.tables:CasesFromSqlOperator",
    "FindCasesOperator": "operators.sweep:FindCasesOperator",
    "OpenReviewOperator": "operators.sweep:OpenReviewOperator",
    "RememberReviewOperator": "operators.sweep:RememberReviewOperator",
    "RemindOperator": "operators.remind:RemindOperator",
    "ConfiguredNotifier": "_tasks.notifications:ConfiguredNotifier",
    "reviewers": "_tasks.notifications:reviewers",
    "config": "_config",
    # Cases and records
    "Case": "_evidence.case:Case",
    "FormCase": "_cases.form:FormCase",
    "form_params": "_cases.form:form_params",
    "case_params": "_explain.forms:case_params",
    "Record": "_evidence.record:Record",
    "State": "_evidence.record:State",
    "Approval": "_evidence.record:Approval",
    "Difference": "_evidence.record:Difference",
    "RunRecords": "_tasks.run_records:RunRecords",
    "records_of": "_tasks.record_lists:records_of",
    # Single requests
    "CallOperator": "operators.call:CallOperator",
    "RequestOperator": "operators.request:RequestOperator",
    "ApiRetryPolicy": "_tasks.retry:ApiRetryPolicy",
    "request_params": "operators.request:form",
    "operation_reference": "_explain.reference:reference",
    "operator_name": "_tasks.operator_names:operator_name",
    "APIS": "_registry:APIS",
    "load_contract": "_contracts.contract:load",
    "Contract": "_contracts.contract:Contract",
    "Operation": "_contracts.contract:Operation",
    "Answer": "_contracts.answers:Answer",
    "FilePart": "_contracts.encoding:FilePart",
    "StripeHook": "hooks.stripe:StripeHook",
    "MoovHook": "hooks.moov:MoovHook",
    # Errors
    **{
        name: f"exceptions:{name}"
        for name in (
            "AmbiguousError",
            "ApiError",
            "AuthenticationError",
            "ConflictError",
            "ConnectionConfigError",
            "DisputeError",
            "InvalidCaseError",
            "InvalidRequestError",
            "LockedError",
            "NotFoundError",
            "OutdatedVersionError",
            "PermissionDeniedError",
            "RateLimitedError",
            "ServerError",
            "SigningKeyError",
            "TryAgainError",
            "UnreachableError",
            "UnreadableAnswerError",
            "Violation",
        )
    },
}


_former_paths.install()


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    loaded = import_module(f"{__name__}.{module}")
    found = globals()[name] = getattr(loaded, attribute) if attribute else loaded
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
