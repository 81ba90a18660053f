"""DAGs that import what has moved still load, and are told where it is."""

from __future__ import annotations

from importlib import import_module

import pytest


@pytest.mark.parametrize(
    ("former", "name", "now"),
    [
        ("case_files", "find_cases", "dispute_provider._cases.files"),
        ("form_case", "FormCase", "dispute_provider._cases.form"),
        ("form_case", "form_params", "dispute_provider._cases.form"),
        ("links", "DisputeLink", "dispute_provider._tasks.links"),
        ("people", "ConfiguredNotifier", "dispute_provider._tasks.notifications"),
        ("people", "reviewers", "dispute_provider._tasks.notifications"),
        ("record_lists", "records_of", "dispute_provider._tasks.record_lists"),
        ("retry", "ApiRetryPolicy", "dispute_provider._tasks.retry"),
    ],
)
def test_a_former_path_leads_to_the_present_one(former: str, name: str, now: str) -> None:
    module = import_module(f"dispute_provider.operators.{former}")
    with pytest.warns(FutureWarning, match=now):
        found = getattr(module, name)
    assert found is getattr(import_module(now), name)
