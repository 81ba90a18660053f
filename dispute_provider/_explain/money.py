"""Read and format amounts."""

from __future__ import annotations

from decimal import Decimal

_DECIMALS = dict.fromkeys(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"],
    0,
) | dict.fromkeys(["BHD", "JOD", "KWD", "OMR", "TND"], 3)


def decimals(currency: str) -> int:
    """Return how many decimals an API's amounts in a currency have: 2 for USD, 0 for JPY, 3 for KWD.

    :param currency: the currency code (ISO 4217), in any case.
    """
    return _DECIMALS.get(currency.upper(), 2)


def minor_units(amount: str, currency: str) -> int:
    """Return the minor units of a decimal amount: 1200 for ``12.00`` USD, ``1200`` JPY or ``1.2`` KWD.

    :param amount: the amount in units of the currency.
    :param currency: the currency code (ISO 4217), in any case.
    :raises decimal.InvalidOperation: if the amount is not a number.
    """
    return int(Decimal(amount).scaleb(decimals(currency)))


def format_amount(minor_units: int, currency: str) -> str:
    """Return an amount such as ``12.00 USD``, ``1,200 JPY`` or ``1.200 KWD`` for 1200 minor units.

    :param minor_units: the amount in minor currency units.
    :param currency: the currency code (ISO 4217), in any case.
    """
    places = decimals(currency)
    return f"{minor_units / 10**places:,.{places}f} {currency.upper()}"
