"""Approve disputes by a named policy instead of a reviewer, if a DAG has one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dispute_provider._evidence.completeness import Verdict
from dispute_provider._evidence.record import Record, State
from dispute_provider._evidence.snapshot import sha256_of
from dispute_provider._explain.labels import label
from dispute_provider._explain.money import format_amount


def check_amounts(name: str, amounts: object) -> None:
    """Refuse amounts by currency that are not whole numbers of minor units.

    :raises ValueError: if they are not a mapping from currency codes to such amounts.
    """
    if not isinstance(amounts, Mapping) or any(
        not isinstance(currency, str) or type(amount) is not int for currency, amount in amounts.items()
    ):
        raise ValueError(
            f"{name} must give whole numbers of minor units by currency, such as {{'usd': 5000}} for "
            f"50.00 USD, not {amounts!r}"
        )


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """Which disputes may be submitted without a reviewer's approval. A policy never concedes a dispute.

    :param name: its name; ``policy <name>`` is recorded as the approver.
    :param below: for each currency, such as ``usd``, the amount in minor units that a dispute must be below.
        Disputes in other currencies are not approved.
    :param verdicts: the verdicts on the evidence that are approved; by default only ``ready``.
    :param reasons: the dispute reasons that are approved, such as ``product_not_received``; by default all.
    :param sample: the fraction of the disputes it would approve that go to a reviewer instead, from 0, the
        default, to 1. The choice for a dispute is always the same.
    :raises ValueError: if the name or ``below`` is empty, an amount is not a whole number, a verdict is not
        known, ``reasons`` is a text, or ``sample`` is not between 0 and 1.
    """

    name: str
    below: Mapping[str, int]
    verdicts: tuple[str, ...] = ("ready",)
    reasons: tuple[str, ...] | None = None
    sample: float = 0.0

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.below:
            raise ValueError(
                "ApprovalPolicy needs a name, and in 'below' an amount for at least one currency"
            )
        check_amounts("below", self.below)
        if isinstance(self.verdicts, str) or not set(self.verdicts) <= {*Verdict, None}:
            known = ", ".join(Verdict)
            raise ValueError(f"verdicts must be a tuple of some of {known}, not {self.verdicts!r}")
        if isinstance(self.reasons, str):
            raise ValueError(f"reasons must be a tuple, such as ({self.reasons!r},), not a text")
        if not 0 <= self.sample <= 1:
            raise ValueError(f"sample must be a fraction from 0 to 1, not {self.sample!r}")

    @property
    def approver(self) -> str:
        """Return the name that is recorded as the approver."""
        return f"policy {self.name}"

    def limit(self, record: Record) -> int | None:
        """Return the amount, in minor units, that a dispute must be below; None if it has no limit."""
        limits = {currency.lower(): amount for currency, amount in self.below.items()}
        return limits.get((record.currency or "").lower())

    def objection(self, record: Record) -> str | None:
        """Return why the policy does not approve a staged record; None if it does."""
        limit = self.limit(record)
        if record.state != State.STAGED or not record.digest:
            return "it is not staged"
        if record.warnings:
            return "it has warnings for the reviewer"
        if any(difference.kind == "kept" for difference in record.differences):
            return "a colleague's evidence was kept in place of the case's"
        if record.amount is None or not record.currency:
            return "its amount is not known"
        if limit is None:
            return f"the policy has no limit in {record.currency.upper()}"
        if record.amount >= limit:
            return f"{record.money} is not below the limit of {format_amount(limit, record.currency)}"
        if record.verdict not in self.verdicts:
            return f"the verdict on its evidence is {record.verdict or 'not known'}"
        if self.reasons is not None and record.dispute_reason not in self.reasons:
            reason = label(record.dispute_reason or "unknown", record.provider)
            return f"the policy does not cover the reason {reason}"
        return None

    def is_sampled(self, record: Record) -> bool:
        """Return whether a reviewer decides instead of the policy; nothing in a case changes the choice."""
        drawn = sha256_of([self.name, record.provider, record.dispute, record.stage, record.submissions])
        return int(drawn[:8], 16) < self.sample * 16**8
