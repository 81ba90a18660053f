"""The assets whose state stores keep values between runs."""

from __future__ import annotations

import pytest
from airflow.sdk import Asset

from dispute_provider._state.approvals import SUBMISSIONS
from dispute_provider._state.ledger_id import LEDGER
from dispute_provider._state.staging import UPLOADS
from dispute_provider._state.sweep_store import ANSWERED, ENDED, REMINDED, REVIEWED


@pytest.mark.parametrize(
    "asset", [SUBMISSIONS, LEDGER, UPLOADS, ANSWERED, ENDED, REMINDED, REVIEWED], ids=lambda asset: asset.name
)
def test_the_uri_is_in_the_normal_form_of_airflow(asset: Asset) -> None:
    assert asset == Asset(name=asset.name, uri=asset.uri.removesuffix("/"))
