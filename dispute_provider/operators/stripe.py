"""Operators that each call one operation of the Stripe API. See https://docs.stripe.com/api/disputes.

Evidence texts and metadata are not template fields: they are neither rendered nor stored with the task. All
operators also take the parameters of :class:`StripeOperator` and
:class:`~dispute_provider.operators._api.ApiOperator`, and raise the errors of the latter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dispute_provider.operators._api import ApiOperator, DisputeOperator, DownloadOperator

if TYPE_CHECKING:
    from airflow.sdk.definitions.xcom_arg import XComArg


class StripeOperator(ApiOperator):
    """Base class of Stripe's operators.

    :param account: connected account to act for (templated). Default: None, the connection's account.
    :param conn_id: Airflow connection of type ``stripe`` (templated). Default: ``stripe_default``.
    """

    api = "stripe"
    template_fields: Sequence[str] = (*ApiOperator.template_fields, "account")

    def __init__(self, *, account: str | None = None, conn_id: str = "stripe_default", **kwargs: Any) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.account = account


class StripeListDisputesOperator(StripeOperator):
    """Return one page of disputes, newest first. All parameters are templated.

    :param charge: only disputes of this charge. Default: None, all charges.
    :param payment_intent: only disputes of this payment intent. Default: None, all of them.
    :param created: time of creation in Unix seconds, or a dict of bounds with the keys ``gt``, ``gte``,
        ``lt`` and ``lte``. Default: None, any time.
    :param limit: disputes per page, 1 to 100. Default: None, Stripe's default of 10.
    :param starting_after: id of the last dispute of the previous page. Default: None.
    :param ending_before: id of the first dispute of the next page. Default: None.
    :param expand: fields to return as objects instead of ids, such as ``data.charge``; the objects are stored
        in the XCom. Default: None.
    :returns: Stripe's list object.
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
    """Return a dispute.

    :param dispute: id of the dispute (templated).
    :param expand: fields to return as objects instead of ids, such as ``charge`` (templated); the objects are
        stored in the XCom. Default: None.
    :returns: Stripe's dispute object.
    """

    operation_id = "GetDisputesDispute"
    template_fields: Sequence[str] = (*StripeOperator.template_fields, "dispute", "expand")

    def __init__(self, *, dispute: str, expand: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dispute = dispute
        self.expand = expand


class StripeUpdateDisputeOperator(DisputeOperator, StripeOperator):
    """Stage evidence at a dispute or submit it, and set metadata.

    A submission cannot be undone. It is sent with an idempotency key derived from its content, so a retry
    cannot submit twice. To submit the same evidence at a later stage within 24 hours, set
    ``idempotency_key``. With ``submit=True``, evidence that the dispute's stage does not accept is refused
    before anything is sent.

    :param dispute: id of the dispute (templated).
    :param evidence: evidence by Stripe's names: texts, file ids or ``enhanced_evidence``; at the appeal stage
        only ``appeal``. An empty text deletes a field. Not templated. Default: None.
    :param submit: whether to submit to the bank; always sent to Stripe. Default: False, the evidence is
        staged.
    :param expand: fields to return as objects instead of ids (templated). Default: None.
    :param metadata: your own keys and values; an empty value deletes a key, and ``""`` deletes all. Not
        templated. Default: None.
    :param intended_submission_method: how the dispute will be submitted: ``manual``, ``prefer_manual``,
        ``prefer_smart_disputes`` or ``smart_disputes`` (templated). Requires API version 2026-10-28.endive or
        later. Default: None, unchanged.
    :param idempotency_key: the key to use (templated). Default: None, a key derived from the request; staging
        has none.
    :returns: Stripe's dispute object.
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
    """Concede a dispute, which is then lost. This cannot be undone.

    :param dispute: id of the dispute (templated).
    :param expand: fields to return as objects instead of ids (templated). Default: None.
    :param idempotency_key: the key to use (templated). Default: None, a key derived from the request.
    :returns: Stripe's dispute object.
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
    """Return a charge. Customer data is redacted unless ``return_evidence`` is True.

    :param charge: id of the charge (templated).
    :returns: Stripe's charge object.
    """

    operation_id = "GetChargesCharge"
    template_fields: Sequence[str] = (*StripeOperator.template_fields, "charge")

    def __init__(self, *, charge: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.charge = charge


class StripeUploadFileOperator(StripeOperator):
    """Upload a document. Use its id as evidence: ``{"receipt": upload.output["id"]}``.

    :param file: path or ``ObjectStoragePath`` address of a PDF, JPEG or PNG (templated).
    :param filename: file name at Stripe (templated). Default: None, the name in the path.
    :param purpose: Stripe's purpose of the file. Default: ``dispute_evidence``.
    :param idempotency_key: the key to use (templated). Default: None, a key derived from the document.
    :param multiple_outputs: whether each field of the answer is an XCom of its own. Default: True.
    :returns: Stripe's file object.
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
    """Return the details of a document.

    :param file: id of the file (templated).
    :returns: Stripe's file object.
    """

    operation_id = "GetFilesFile"
    template_fields: Sequence[str] = (*StripeOperator.template_fields, "file")

    def __init__(self, *, file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file = file


class StripeGetFileContentsOperator(DownloadOperator, StripeOperator):
    """Download a document.

    :param file: id of the file (templated).
    :param save_to: see :class:`~dispute_provider.operators._api.DownloadOperator`.
    """

    operation_id = "GetFilesFileContents"
    template_fields: Sequence[str] = (*StripeOperator.template_fields, "save_to", "file")

    def __init__(self, *, file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file = file


class StripeGetAccountOperator(StripeOperator):
    """Return the account that the connection acts for."""

    operation_id = "GetAccount"
