"""Check Stripe's parameters: a checker takes a decoded value and its name, and returns the checked value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from dispute_provider.sandbox._forms import Upload, as_list
from dispute_provider.sandbox._objects.stripe import FILES, LONG_TEXT, SHORT_TEXT
from dispute_provider.sandbox._wire import Response, json_response, utf16_length

Checker = Callable[[Any, str], Any]

MAX_TEXT = 150_000
FILE_PURPOSES = (
    "account_requirement", "additional_verification", "business_icon", "business_logo", "customer_signature",
    "dispute_evidence", "identity_document", "issuing_regulatory_reporting", "pci_document",
    "platform_terms_of_service", "tax_document_user_upload", "terminal_android_apk",
    "terminal_reader_splashscreen", "terminal_wifi_certificate", "terminal_wifi_private_key",
)  # fmt: skip


class StripeError(Exception):
    """An error answer.

    :param kept: whether it is stored under an Idempotency-Key.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type_: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
        kept: bool = False,
    ) -> None:
        super().__init__(message)
        self.status, self.type, self.code, self.param = status, type_, code, param
        self.headers, self.kept = headers, kept

    def answer(self) -> Response:
        error = {"type": self.type, "message": str(self), "code": self.code, "param": self.param}
        fields = {key: value for key, value in error.items() if value is not None}
        return json_response(self.status, {"error": fields}, self.headers)


def invalid(message: str, param: str | None = None, code: str | None = None) -> StripeError:
    return StripeError(400, message, code=code, param=param)


def text(limit: int) -> Checker:
    def check(value: Any, at: str) -> str:
        if not isinstance(value, str):
            raise invalid(f"{at} takes a string", at)
        if utf16_length(value) > limit:
            raise invalid(f"{at} has {utf16_length(value)} characters and may have {limit}", at)
        return value

    return check


def flag(value: Any, at: str) -> bool:
    if value not in ("true", "false"):
        raise invalid(f"{at} takes true or false", at)
    return bool(value == "true")


def number(value: Any, at: str) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"-?\d{1,15}", value, re.ASCII):
        raise invalid(f"{at} takes a whole number", at, "parameter_invalid_integer")
    return int(value)


def choice(*options: str) -> Checker:
    def check(value: Any, at: str) -> str:
        if value not in options:
            raise invalid(f"{at} takes one of: {', '.join(options)}", at)
        return str(value)

    return check


def record(fields: Mapping[str, Checker], clearable: bool = False, required: tuple[str, ...] = ()) -> Checker:
    """Return a checker for an object with only these fields.

    :param clearable: whether an empty string, which clears the object, is accepted.
    """

    def check(value: Any, at: str) -> Any:
        if clearable and value == "":
            return ""
        if not isinstance(value, dict):
            raise invalid(f"{at} takes an object", at)
        clean = {}
        for name, item in value.items():
            inner = f"{at}[{name}]" if at else name
            if name not in fields:
                raise invalid(f"There is no parameter {inner}", inner, "parameter_unknown")
            clean[name] = fields[name](item, inner)
        for name in required:
            if name not in clean:
                inner = f"{at}[{name}]" if at else name
                raise invalid(f"{inner} is missing", inner, "parameter_missing")
        return clean

    return check


def listing(item: Checker, clearable: bool = False) -> Checker:
    def check(value: Any, at: str) -> Any:
        if clearable and value == "":
            return ""
        items = as_list(value)
        if items is None:
            raise invalid(f"{at} takes a list", at)
        return [item(each, f"{at}[{position}]") for position, each in enumerate(items)]

    return check


def metadata(value: Any, at: str) -> Any:
    if value == "":
        return ""
    if not isinstance(value, dict):
        raise invalid(f"{at} takes an object", at)
    for name, item in value.items():
        if utf16_length(name) > 40:
            raise invalid("A metadata key has at most 40 characters", f"{at}[{name}]")
        text(500)(item, f"{at}[{name}]")
    return dict(value)


def upload(value: Any, at: str) -> Upload:
    if not isinstance(value, Upload):
        raise invalid(f"{at} takes a file", at)
    return value


_short = text(5000)
_address = record(dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"), _short))
_transaction: dict[str, Checker] = {
    **dict.fromkeys(
        (
            "customer_account_id", "customer_device_fingerprint", "customer_device_id",
            "customer_email_address", "customer_purchase_ip", "product_description",
        ),
        _short,
    ),
    "shipping_address": _address,
}  # fmt: skip
_compliance = record({"fee_acknowledged": flag})
_enhanced = record(
    {
        "mastercard_compliance": _compliance,
        "visa_compliance": _compliance,
        "visa_compelling_evidence_3": record(
            {
                "disputed_transaction": record(
                    {**_transaction, "merchandise_or_services": choice("merchandise", "services")}
                ),
                "prior_undisputed_transactions": listing(
                    record({**_transaction, "charge": _short}, required=("charge",))
                ),
            }
        ),
    },
    clearable=True,
)
_appeal = record(
    {
        "card": record(
            # For the reason, only the limit of all texts together is documented.
            {"reason_for_filing": text(MAX_TEXT), "supporting_files": listing(_short, clearable=True)},
            clearable=True,
        )
    },
    clearable=True,
)
_evidence: dict[str, Checker] = {
    **dict.fromkeys(LONG_TEXT, text(20_000)),
    **dict.fromkeys(SHORT_TEXT, _short),
    **dict.fromkeys(FILES, _short),
    "enhanced_evidence": _enhanced,
    "appeal": _appeal,
}
expand = listing(_short)
SUBMISSION_METHODS = ("manual", "prefer_manual", "prefer_smart_disputes", "smart_disputes")
UPDATE = record(
    {
        "evidence": record(_evidence),
        "expand": expand,
        "intended_submission_method": choice(*SUBMISSION_METHODS),
        "metadata": metadata,
        "submit": flag,
    }
)
ONLY_EXPAND = record({"expand": expand})
FILE = record(
    {"purpose": choice(*FILE_PURPOSES), "file": upload, "expand": expand}, required=("file", "purpose")
)
_bounds = record(dict.fromkeys(("gt", "gte", "lt", "lte"), number))


def created(value: Any, at: str) -> Any:
    return number(value, at) if isinstance(value, str) else _bounds(value, at)


_page: dict[str, Checker] = {
    "created": created,
    "ending_before": _short,
    "expand": expand,
    "limit": number,
    "starting_after": _short,
}
DISPUTES = record({**_page, "charge": _short, "payment_intent": _short})
EVENTS = record({**_page, "type": _short, "types": listing(_short), "delivery_success": flag})


def merge(into: dict[str, Any], changes: dict[str, Any]) -> None:
    """Merge an update into evidence key by key, nested objects too; an empty string clears a key."""
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            merge(into[name], value)
        elif isinstance(value, dict):
            into[name] = {}
            merge(into[name], value)
        else:
            into[name] = None if value == "" else value


def check_compelling_evidence(enhanced: dict[str, Any]) -> None:
    """Check that Visa Compelling Evidence is complete for a submission.

    :raises StripeError: naming what is missing.
    """
    claim = enhanced.get("visa_compelling_evidence_3")
    if not claim:
        return
    at = "evidence[enhanced_evidence][visa_compelling_evidence_3]"
    prior = claim.get("prior_undisputed_transactions") or []
    if len(prior) != 2:
        raise invalid("Two prior transactions are needed", f"{at}[prior_undisputed_transactions]")
    disputed = claim.get("disputed_transaction") or {}
    places = [f"{at}[prior_undisputed_transactions][{position}]" for position in range(2)]
    for place, given in zip([f"{at}[disputed_transaction]", *places], [disputed, *prior], strict=True):
        for name, least in (("customer_device_fingerprint", 20), ("customer_device_id", 15)):
            if given.get(name) and len(given[name]) < least:
                raise invalid(f"{name} needs at least {least} characters", f"{place}[{name}]")
        address = given.get("shipping_address")
        if address and not all(
            address.get(name) for name in ("city", "country", "line1", "postal_code", "state")
        ):
            raise invalid("The shipping address is not complete", f"{place}[shipping_address]")
