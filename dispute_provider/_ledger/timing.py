"""Define the timing rules of claims, in seconds."""

from __future__ import annotations

# A request must be written within this time after its claim was acquired.
WRITE_WITHIN = 20.0
# A final call must be based on a reading of the dispute that is no older than this.
MAX_READING_AGE = 30.0
# A request that has not arrived after this time never will: twice the longest time limit of a call.
ARRIVES_WITHIN = 180.0
# The rounding error between two timestamps of one store.
_ROUNDING = 5.0
# Once a claim is this old by its store's clock, nothing sent under it can be in flight, and another task may
# take it over.
TAKEOVER_AFTER = WRITE_WITHIN + ARRIVES_WITHIN + _ROUNDING
# A holder that keeps writing renews its claim at this age.
RENEW_AFTER = 10.0
