"""Define the times of a claim, in seconds."""

from __future__ import annotations

# After its claim was taken, a request is written within so many seconds or not at all.
WRITE_WITHIN = 20.0
# A final call is written on a reading of the dispute that is no older.
READING_HOLDS = 30.0
# A request that has not arrived after so many seconds never will: twice the longest time limit of a call.
SETTLES_AFTER = 180.0
# What two times of a store can be apart by its own rounding.
_ROUNDING = 5.0
# The age of a claim, by its store's own clock, from which on nothing written under it is in flight.
LAPSES_AFTER = WRITE_WITHIN + SETTLES_AFTER + _ROUNDING
# A holder that goes on writing renews its claim at this age.
RENEWED_AFTER = 10.0
