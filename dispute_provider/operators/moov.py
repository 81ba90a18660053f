"""Moov's operations as operators, one call each.

``account_id`` is the platform's own account, not the merchant's; the connection's where it is not given.
Texts are no template fields: nothing in them is rendered, and nothing of them is stored.

There is no operator that creates or revokes access tokens: what an operator returns is stored as an XCom, and
a token must not be. The connection makes its own where its authentication is ``oauth2``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dispute_provider.operators._api import ApiOperator, DisputeOperator, DownloadOperator

if TYPE_CHECKING:
    from airflow.sdk.definitions.xcom_arg import XComArg


class MoovOperator(ApiOperator):
    """What Moov's operators share.

    :param conn_id: Airflow connection of type ``moov`` (templated).
    """

    api = "moov"

    def __init__(self, *, conn_id: str = "moov_default", **kwargs: Any) -> None:
        super().__init__(conn_id=conn_id, **kwargs)


class MoovAccountOperator(MoovOperator):
    """An operation on an account.

    :param account_id: the account (templated).
    """

    template_fields: Sequence[str] = (*MoovOperator.template_fields, "account_id")

    def __init__(self, *, account_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.account_id = account_id


class MoovDisputeOperator(DisputeOperator, MoovAccountOperator):
    """An operation on a dispute.

    :param dispute_id: its id (templated).
    """

    template_fields: Sequence[str] = (*MoovAccountOperator.template_fields, "dispute_id")

    def __init__(self, *, dispute_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dispute_id = dispute_id


class MoovEvidenceOperator(MoovDisputeOperator):
    """An operation on one item of a dispute's evidence.

    :param evidence_id: the item's id (templated).
    """

    template_fields: Sequence[str] = (*MoovDisputeOperator.template_fields, "evidence_id")

    def __init__(self, *, evidence_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.evidence_id = evidence_id


class MoovListDisputesOperator(MoovAccountOperator):
    """List disputes, one page. All arguments are templated; times are RFC 3339 with their zone.

    :param status: only disputes in this state.
    :param respond_start_date_time: only those due after this moment.
    :param respond_end_date_time: only those due before this moment.
    :param start_date_time: only those opened from this moment on.
    :param end_date_time: only those opened until this moment.
    :param merchant_account_id: only this merchant's.
    :param cardholder_account_id: only this cardholder's.
    :param dispute_ids: only these.
    :param transfer_ids: only those of these transfers.
    :param order_by: field to order by.
    :param count: disputes on the page, 200 where not given.
    :param skip: disputes to pass over.
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
    """Read a dispute."""

    operation_id = "getDispute"


class MoovAcceptDisputeOperator(MoovDisputeOperator):
    """Accept a dispute: the money stays with the cardholder, for good."""

    operation_id = "acceptDispute"
    may_be_final = True


class MoovListDisputeEvidenceOperator(MoovDisputeOperator):
    """List the evidence that a dispute holds."""

    operation_id = "listDisputeEvidence"


class MoovUploadDisputeEvidenceFileOperator(MoovDisputeOperator):
    """Add a document to a dispute. Every call adds another one.

    :param file: path or address of the document, PDF, JPEG or TIFF (templated).
    :param evidence_type: what it shows (templated).
    :param filename: its name at Moov; that of the path where not given (templated).
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
    """Add a text to a dispute. Every call adds another one.

    :param text: what the bank is to read, at most 750 characters.
    :param evidence_type: what it shows (templated).
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
    """Read an item of evidence."""

    operation_id = "getDisputeEvidence"


class MoovGetDisputeEvidenceDataOperator(DownloadOperator, MoovEvidenceOperator):
    """Download a document."""

    operation_id = "getDisputeEvidenceData"
    template_fields: Sequence[str] = (*MoovEvidenceOperator.template_fields, "save_to")


class MoovUpdateDisputeEvidenceOperator(MoovEvidenceOperator):
    """Change an item of evidence; what is not given stays.

    :param evidence_type: what it shows (templated).
    :param text: its new text, for an item of text.
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
    """Submit all the evidence that a dispute holds, for good.

    Moov takes no key that would make a second call harmless: a later try of the task waits until the request
    of an earlier one has arrived or never will, and sends only what the dispute does not show.
    """

    operation_id = "submitDisputeEvidence"
    may_be_final = True


class MoovGetAccountOperator(MoovAccountOperator):
    """Read an account and its mode."""

    operation_id = "getAccount"


class MoovPingOperator(MoovOperator):
    """See whether Moov answers and takes the connection's keys."""

    operation_id = "ping"
