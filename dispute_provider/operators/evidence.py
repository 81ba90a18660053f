"""Operators that stage, review and submit evidence, for every API.

Each operator takes a list and returns one record per dispute, with its state and reason. A dispute that fails
does not stop the others.
"""

from __future__ import annotations

from dispute_provider.operators._report_outcome import ReportOutcomeOperator
from dispute_provider.operators._review_evidence import ReviewEvidenceOperator
from dispute_provider.operators._stage_evidence import StageEvidenceOperator
from dispute_provider.operators._submit_evidence import SubmitEvidenceOperator

__all__ = [
    "ReportOutcomeOperator",
    "ReviewEvidenceOperator",
    "StageEvidenceOperator",
    "SubmitEvidenceOperator",
]
