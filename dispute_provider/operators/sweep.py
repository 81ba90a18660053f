"""Operators of the sweep: find cases to stage, open their reviews and record them for the next sweep."""

from __future__ import annotations

from dispute_provider.operators._find_cases import FindCasesOperator
from dispute_provider.operators._open_review import OpenReviewOperator
from dispute_provider.operators._remember_review import RememberReviewOperator

__all__ = ["FindCasesOperator", "OpenReviewOperator", "RememberReviewOperator"]
