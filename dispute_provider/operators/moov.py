"""Operators that each call one operation of the Moov API. See
https://docs.moov.io/guides/money-movement/accept-payments/card-acceptance/disputes/.

Evidence texts are not template fields: they are neither rendered nor stored with the task. All operators also
take the parameters of :class:`~dispute_provider.operators._api.ApiOperator`, and raise its errors.

No operator creates or revokes access tokens, because XComs must not contain tokens. A connection whose
authentication is ``oauth2`` creates its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dispute_provider.operators._api import ApiOperator, DisputeOperator, DownloadOperator

if TYPE_CHECKING:
    from airflow.sdk.definitions.xcom_arg import XComArg


class MoovOperator(ApiOperator):
    """Base class of Moov's operators.

    :param conn_id: Airflow connection of type ``moov`` (templated). Default: ``moov_default``.
    """

    api = "moov"

    def __init__(self, *, conn_id: str = "moov_default", **kwargs: Any) -> None:
        super().__init__(conn_id=conn_id, **kwargs)


class MoovAccountOperator(MoovOperator):
    """Base class of operations on an account.

    :param account_id: the platform's account, not the merchant's (templated). Default: None, the connection's
        account.
    """

    template_fields: Sequence[str] = (*MoovOperator.template_fields, "account_id")

    def __init__(self, *, account_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.account_id = account_id


class MoovDisputeOperator(DisputeOperator, MoovAccountOperator):
    """Base class of operations on a dispute.

    :param dispute_id: id of the dispute (templated).
    """

    template_fields: Sequence[str] = (*MoovAccountOperator.template_fields, "dispute_id")

    def __init__(self, *, dispute_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dispute_id = dispute_id


class MoovEvidenceOperator(MoovDisputeOperator):
    """Base class of operations on one item of a dispute's evidence.

    :param evidence_id: id of the item (templated).
    """

    template_fields: Sequence[str] = (*MoovDisputeOperator.template_fields, "evidence_id")

    def __init__(self, *, evidence_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.evidence_id = evidence_id


class MoovListDisputesOperator(MoovAccountOperator):
    """Return one page of disputes.

    All parameters are templated and default to None, which does not filter. Times are RFC 3339 with a time
    zone.

    :param status: only disputes with this status.
    :param respond_start_date_time: only disputes due after this time.
    :param respond_end_date_time: only disputes due before this time.
    :param start_date_time: only disputes opened at or after this time.
    :param end_date_time: only disputes opened at or before this time.
    :param merchant_account_id: only disputes of this merchant.
    :param cardholder_account_id: only disputes of this cardholder.
    :param dispute_ids: only these disputes.
    :param transfer_ids: only disputes of these transfers.
    :param order_by: field to order by.
    :param count: disputes per page. Default: None, Moov's default of 200.
    :param skip: number of disputes to skip. Default: None, no dispute is skipped.
    :returns: a list of Moov's disputes.
    """

    operation_id = "listDisputes"
    template_fields: Sequence[str] = (
        *MoovAccountOperator.template_fields,
        "status",
        "respond_start_date_time",
        "respond_end_date_time",
        "start_date_time",
        "end_date_time",
        "merchant_account_id",
        "cardholder_account_id",
        "dispute_ids",
        "transfer_ids",
        "order_by",
        "count",
        "skip",
    )

    def __init__(
        self,
        *,
        status: str | None = None,
        respond_start_date_time: str | None = None,
        respond_end_date_time: str | None = None,
        start_date_time: str | None = None,
        end_date_time: str | None = None,
        merchant_account_id: str | None = None,
        cardholder_account_id: str | None = None,
        dispute_ids: Sequence[str] | None = None,
        transfer_ids: Sequence[str] | None = None,
        order_by: str | None = None,
        count: int | None = None,
        skip: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.status = status
        self.respond_start_date_time = respond_start_date_time
        self.respond_end_date_time = respond_end_date_time
        self.start_date_time = start_date_time
        self.end_date_time = end_date_time
        self.merchant_account_id = merchant_account_id
        self.cardholder_account_id = cardholder_account_id
        self.dispute_ids = dispute_ids
        self.transfer_ids = transfer_ids
        self.order_by = order_by
        self.count = count
        self.skip = skip


class MoovGetDisputeOperator(MoovDisputeOperator):
    """Return a dispute."""

    operation_id = "getDispute"


class MoovAcceptDisputeOperator(MoovDisputeOperator):
    """Concede a dispute; Moov calls it accept. The cardholder keeps the money. This cannot be undone."""

    operation_id = "acceptDispute"
    may_be_final = True


class MoovListDisputeEvidenceOperator(MoovDisputeOperator):
    """Return all evidence of a dispute."""

    operation_id = "listDisputeEvidence"


class MoovUploadDisputeEvidenceFileOperator(MoovDisputeOperator):
    """Add a document to a dispute. Every call adds another document.

    :param file: path or ``ObjectStoragePath`` address of a PDF, JPEG or TIFF (templated).
    :param evidence_type: Moov's type of the evidence, such as ``receipt`` (templated).
    :param filename: file name at Moov (templated). Default: None, the name in the path.
    :param multiple_outputs: whether each field of the answer is an XCom of its own. Default: True.
    """

    operation_id = "uploadDisputeEvidenceFile"
    template_fields: Sequence[str] = (
        *MoovDisputeOperator.template_fields,
        "file",
        "evidence_type",
        "filename",
    )

    def __init__(
        self,
        *,
        file: str,
        evidence_type: str,
        filename: str | None = None,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(multiple_outputs=multiple_outputs, **kwargs)
        self.file = file
        self.evidence_type = evidence_type
        self.filename = filename


class MoovUploadDisputeEvidenceTextOperator(MoovDisputeOperator):
    """Add a text to a dispute. Every call adds another text.

    :param text: the text for the bank, at most 750 characters. Not templated.
    :param evidence_type: Moov's type of the evidence, such as ``generic-evidence`` (templated).
    :param multiple_outputs: whether each field of the answer is an XCom of its own. Default: True.
    """

    operation_id = "uploadDisputeEvidenceText"
    template_fields: Sequence[str] = (*MoovDisputeOperator.template_fields, "evidence_type")

    def __init__(
        self,
        *,
        text: str | XComArg,
        evidence_type: str,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(multiple_outputs=multiple_outputs, **kwargs)
        self.text = self.unrendered(text)
        self.evidence_type = evidence_type


class MoovGetDisputeEvidenceOperator(MoovEvidenceOperator):
    """Return an item of evidence."""

    operation_id = "getDisputeEvidence"


class MoovGetDisputeEvidenceDataOperator(DownloadOperator, MoovEvidenceOperator):
    """Download a document of a dispute."""

    operation_id = "getDisputeEvidenceData"
    template_fields: Sequence[str] = (*MoovEvidenceOperator.template_fields, "save_to")


class MoovUpdateDisputeEvidenceOperator(MoovEvidenceOperator):
    """Change an item of evidence.

    :param evidence_type: the new type of the evidence (templated). Default: None, unchanged.
    :param text: the new text; only for items with a text. Not templated. Default: None, unchanged.
    """

    operation_id = "updateDisputeEvidence"
    template_fields: Sequence[str] = (*MoovEvidenceOperator.template_fields, "evidence_type")

    def __init__(
        self, *, evidence_type: str | None = None, text: str | XComArg | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.evidence_type = evidence_type
        self.text = self.unrendered(text)


class MoovDeleteDisputeEvidenceFileOperator(MoovEvidenceOperator):
    """Delete an item of evidence, a document or a text."""

    operation_id = "deleteDisputeEvidenceFile"


class MoovSubmitDisputeEvidenceOperator(MoovDisputeOperator):
    """Submit all evidence of a dispute to the bank. This cannot be undone.

    Moov accepts no idempotency key. A retry therefore waits until the request of an earlier try can no longer
    arrive, and submits only if the dispute does not show the submission.
    """

    operation_id = "submitDisputeEvidence"
    may_be_final = True


class MoovGetAccountOperator(MoovAccountOperator):
    """Return an account and its mode."""

    operation_id = "getAccount"


class MoovPingOperator(MoovOperator):
    """Check that Moov can be reached and accepts the connection's keys."""

    operation_id = "ping"
