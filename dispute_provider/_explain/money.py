"""Amounts in minor currency units, written for people."""

from __future__ import annotations

_DECIMALS = dict.fromkeys(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"],
    0,
) | dict.fromkeys(["BHD", "JOD", "KWD", "OMR", "TND"], 3)


def format_amount(minor_units: int, currency: str) -> str:
    """``1200`` is ``12.00 USD``, ``1,200 JPY`` or ``1.200 KWD``."""
    code = currency.upper()
    decimals = _DECIMALS.get(code, 2)
    return f"{minor_units / 10**decimals:,.{decimals}f} {code}"
