"""Format amounts."""

from __future__ import annotations

_DECIMALS = dict.fromkeys(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"],
    0,
) | dict.fromkeys(["BHD", "JOD", "KWD", "OMR", "TND"], 3)


def format_amount(minor_units: int, currency: str) -> str:
    """Return an amount such as ``12.00 USD``, ``1,200 JPY`` or ``1.200 KWD`` for 1200 minor units.

    :param minor_units: the amount in minor currency units.
    :param currency: the currency code (ISO 4217), in any case.
    """
    code = currency.upper()
    decimals = _DECIMALS.get(code, 2)
    return f"{minor_units / 10**decimals:,.{decimals}f} {code}"
