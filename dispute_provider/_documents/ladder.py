"""Name the steps by which a document is made smaller."""

from __future__ import annotations

from typing import NamedTuple


class Rung(NamedTuple):
    """One step.

    :param dpi: dots per inch on the page, as A4 if a picture does not state its size.
    :param quality: of JPEG, up to 95.
    """

    dpi: int
    quality: int


LADDER = (Rung(300, 85), Rung(200, 75), Rung(150, 70), Rung(150, 50))
"""The steps, from the gentlest. Below the last, print of 7 points is no longer legible."""
FLOOR = LADDER[-1]
