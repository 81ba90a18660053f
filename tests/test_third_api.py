"""A third API is one contract, one API module, one hook class and two entries; nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.third_api.change import changed_files, run_tests, with_third_api


@pytest.mark.timeout(600)
def test_a_third_api_changes_five_files_and_passes_its_tests(tmp_path: Path) -> None:
    copy = with_third_api(tmp_path)
    changed = {name: lines for name, lines in changed_files(copy).items() if not name.startswith("tests/")}
    assert changed.keys() == {
        "dispute_provider/_apis/acme.py",
        "dispute_provider/_registry.py",
        "dispute_provider/get_provider_info.py",
        "dispute_provider/hooks/acme.py",
        "schemas/acme.openapi.json",
    }
    assert changed["dispute_provider/_registry.py"] == (1, 0)
    # The list of entries is one line, which the change replaces.
    assert changed["dispute_provider/get_provider_info.py"][1] == 1
    assert run_tests(copy).returncode == 0
