"""Stripe's operations as operators, one call each.

``account`` is the connected account to act for; the connection's own where it is not given. Texts of evidence
and metadata are no template fields: nothing in them is rendered, and nothing of them is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dispute_provider.operators._api import ApiOperator, DisputeOperator, DownloadOperator

if TYPE_CHECKING:
    from airflow.sdk.definitions.xcom_arg import XComArg


class StripeOperator(ApiOperator):
    """What Stripe's operators share.

    :param account: connected account to act for (templated).
    :param conn_id: Airflow connection of type ``stripe`` (templated).
    """

    api = "stripe"
    template_fields: Sequence[str] = (*ApiOperator.template_fields, "account")

    def __init__(self, *, account: str | None = None, conn_id: str = "stripe_default", **kwargs: Any) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.account = account


class StripeListDisputesOperator(StripeOperator):
    """List disputes, newest first, one page. All arguments are templated.

    :param charge: only disputes of this charge.
    :param payment_intent: only disputes of this payment.
    :param created: Unix seconds of the opening, or bounds ``{"gt", "gte", "lt", "lte"}``.
    :param limit: disputes on the page, 1 to 100.
    :param starting_after: id of the last dispute of the page before.
    :param ending_before: id of the first dispute of the page after.
    :param expand: paths of ids to be answered, and stored as an XCom, as objects; each below ``data``.
    """

    operation_id = "GetDisputes"
    template_fields: Sequence[str] = (
        *StripeOperator.template_fields,
        "charge",
        "payment_intent",
        "created",
        "limit",
        "starting_after",
        "ending_before",
        "expand",
    )

    def __init__(
        self,
        *,
        charge: str | None = None,
        payment_intent: str | None = None,
        created: int | Mapping[str, int] | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
        expand: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.charge = charge
        self.payment_intent = payment_intent
        self.created = created
        self.limit = limit
        self.starting_after = starting_after
        self.ending_before = ending_before
        self.expand = expand


class StripeGetDisputeOperator(DisputeOperator, StripeOperator):
    """Read a dispute.

    :param dispute: its id (templated).
    :param expand: paths of ids to be answered, and stored as an XCom, as objects (templated).
    """

    operation_id = "GetDisputesDispute"
    template_fields: Sequence[str] = (*StripeOperator.template_fields, "dispute", "expand")

    def __init__(self, *, dispute: str, expand: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dispute = dispute
        self.expand = expand


class StripeUpdateDisputeOperator(DisputeOperator, StripeOperator):
    """Stage evidence on a dispute, or submit what is staged with it, for good; set metadata.

    ``submit`` is always sent. A submission carries a key made from all it says, so that a retry cannot send
    it twice; the same evidence for a later stage within a day needs an ``idempotency_key`` of its own.

    :param dispute: its id (templated).
    Evidence that the dispute's stage does not take is refused: with ``submit=True`` before anything is sent,
    otherwise by Stripe.

    :param evidence: by Stripe's own names: texts, ids of files, ``enhanced_evidence``; at the appeal stage
        ``appeal`` alone. An empty text unsets.
    :param submit: whether the evidence goes to the bank now.
    :param expand: paths of ids to be answered, and stored as an XCom, as objects (templated).
    :param metadata: your own keys; an empty value unsets one, ``""`` in place of all unsets all.
    :param intended_submission_method: who is to submit, from version 2026-10-28.endive on (templated).
    :param idempotency_key: in place of the one that is made (templated).
    """

    operation_id = "PostDisputesDispute"
    may_be_final = True
    template_fields: Sequence[str] = (
        *StripeOperator.template_fields,
        "dispute",
        "expand",
        "intended_submission_method",
        "idempotency_key",
    )

    def __init__(
        self,
        *,
        dispute: str,
        evidence: Mapping[str, Any] | XComArg | None = None,
        submit: bool = False,
        expand: Sequence[str] | None = None,
        metadata: Mapping[str, str] | XComArg | str | None = None,
        intended_submission_method: str | None = None,
        idempotency_key: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dispute = dispute
        self.evidence = self.unrendered(evidence)
        self.submit = submit
        self.expand = expand
        self.metadata = self.unrendered(metadata)
        self.intended_submission_method = intended_submission_method
        self.idempotency_key = idempotency_key


class StripeCloseDisputeOperator(DisputeOperator, StripeOperator):
    """Concede a dispute: it is lost, for good.

    :param dispute: its id (templated).
    :param expand: paths of ids to be answered, and stored as an XCom, as objects (templated).
    :param idempotency_key: in place of the one that is made from the request (templated).
    """

    operation_id = "PostDisputesDisputeClose"
    may_be_final = True
    template_fields: Sequence[str] = (
        *StripeOperator.template_fields,
        "dispute",
        "expand",
        "idempotency_key",
    )

    def __init__(
        self,
        *,
        dispute: str,
        expand: Sequence[str] | None = None,
        idempotency_key: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dispute = dispute
        self.expand = expand
        self.idempotency_key = idempotency_key


class StripeGetChargeOperator(StripeOperator):
    """Read a charge. What it says of the customer is stored as an XCom only with ``return_evidence``.

    :param charge: its id (templated).
    """

    operation_id = "GetChargesCharge"
    template_fields: Sequence[str] = (*StripeOperator.template_fields, "charge")

    def __init__(self, *, charge: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.charge = charge


class StripeUploadFileOperator(StripeOperator):
    """Upload a document. Its id is what evidence takes: ``{"receipt": upload.output["id"]}``.

    :param file: path or address of the document, PDF, JPEG or PNG (templated).
    :param filename: its name at Stripe; that of the path where not given (templated).
    :param purpose: what it is for.
    :param idempotency_key: in place of the one that is made from the document (templated).
    """

    operation_id = "PostFiles"
    template_fields: Sequence[str] = (
        *StripeOperator.template_fields,
        "file",
        "filename",
        "idempotency_key",
    )

    def __init__(
        self,
        *,
        file: str,
        filename: str | None = None,
        purpose: str = "dispute_evidence",
        idempotency_key: str | None = None,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(multiple_outputs=multiple_outputs, **kwargs)
        self.file = file
        self.filename = filename
        self.purpose = purpose
        self.idempotency_key = idempotency_key


class StripeGetFileOperator(StripeOperator):
    """Read the details of a document.

    :param file: its id (templated).
    """

    operation_id = "GetFilesFile"
    template_fields: Sequence[str] = (*StripeOperator.template_fields, "file")

    def __init__(self, *, file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file = file


class StripeGetFileContentsOperator(DownloadOperator, StripeOperator):
    """Download a document.

    :param file: its id (templated).
    """

    operation_id = "GetFilesFileContents"
    template_fields: Sequence[str] = (*StripeOperator.template_fields, "save_to", "file")

    def __init__(self, *, file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file = file


class StripeGetAccountOperator(StripeOperator):
    """Read the account that the connection acts for."""

    operation_id = "GetAccount"
