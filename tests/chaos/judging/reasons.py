"""Read the reasons of records. A test looks for the words of this module in the package, which may change."""

from __future__ import annotations

from tests.faults_page import rows

# The record's approval was withdrawn or is invalid; an end of an earlier try comes before these words.
VOID = "; since then: "
LOST_OPENING = "no longer has the opening"
EDITED_LEDGER = "edited or cannot be read"
# A record that cannot be checked may not be ended by what the ledger says; its reason names it.
SUBMITTED_BEFORE = ("had already been submitted", "the ledger has a final call for it")
ANOTHER = "someone else"
EARLIER_TRY = "an earlier try of this task"
DIFFERENCES = ("other evidence", "does not show at which stage")
# How users are told of an answer that no longer fits its form. Other answers that end so approve nothing.
OLDER_FORM = rows()["An answer has no login, belongs to an older form, or contradicts itself"]

WORDS = (VOID, LOST_OPENING, EDITED_LEDGER, *SUBMITTED_BEFORE, ANOTHER, EARLIER_TRY, *DIFFERENCES)


def is_void(reason: str) -> bool:
    """Whether a record has ended for a reason besides what an earlier try did."""
    return VOID in reason


def names_submission_before(reason: str) -> bool:
    """Whether it says that the stage had been submitted before."""
    return any(words in reason for words in SUBMITTED_BEFORE)


def names_difference(reason: str) -> bool:
    """Whether it says that something else was submitted than was approved, or may have been."""
    return any(words in reason for words in DIFFERENCES)
