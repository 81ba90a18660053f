"""A named, written-down policy that approves what a person need not look at; none unless a DAG names one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dispute_provider._evidence.record import Record, State
from dispute_provider._evidence.snapshot import sha256_of
from dispute_provider._explain.money import format_amount


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """What may be submitted without a person's yes; it never concedes anything.

    :param name: what stands as the approver: ``policy <name>``.
    :param below: by currency, the amount in minor units that a dispute must stay under; what is in a currency
        that is not named is never approved.
    :param verdicts: of the evidence; any other is never approved.
    :param reasons: of the disputes; all of them where None.
    :param sample: the fraction, from 0 to 1, of what it approves that people are asked about all the same;
        always the same disputes, however often they are looked at.
    :raises ValueError: for a policy without a name or amounts, or a fraction that is none.
    """

    name: str
    below: Mapping[str, int]
    verdicts: tuple[str, ...] = ("ready",)
    reasons: tuple[str, ...] | None = None
    sample: float = 0.0

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.below:
            raise ValueError("a policy needs a name, and an amount for each currency that it approves")
        if not 0 <= self.sample <= 1:
            raise ValueError(f"sample={self.sample!r} is no fraction from 0 to 1")

    @property
    def approver(self) -> str:
        return f"policy {self.name}"

    def objection(self, record: Record) -> str | None:
        """Why it does not approve a staged record; None if it does."""
        limits = {currency.lower(): amount for currency, amount in self.below.items()}
        limit = limits.get((record.currency or "").lower())
        if record.state != State.STAGED or not record.digest:
            return "it is not staged"
        if record.warnings:
            return "there are warnings to read"
        if any(difference.kind == "kept" for difference in record.differences):
            return "somebody else's evidence stands in place of the case's"
        if limit is None or record.amount is None or record.currency is None:
            return f"it names no amount in {(record.currency or 'an unknown currency').upper()}"
        if record.amount >= limit:
            return f"{record.money} is not below {format_amount(limit, record.currency)}"
        if record.verdict not in self.verdicts:
            return f"the evidence is {record.verdict or 'not assessed'}"
        if self.reasons is not None and record.dispute_reason not in self.reasons:
            return f"it says nothing of the reason {record.dispute_reason}"
        return None

    def is_sampled(self, record: Record) -> bool:
        """Whether people are asked all the same; whoever prepares a case cannot change it."""
        drawn = sha256_of([self.name, record.provider, record.dispute, record.stage, record.submissions])
        return int(drawn[:8], 16) < self.sample * 16**8
