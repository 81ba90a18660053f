"""Formats: what the patterns of the compiled validator accept, the full check accepts as well."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispute_provider._contracts.formats import FORMATS, PATTERNS
from dispute_provider._contracts.screening import Screen


@pytest.mark.parametrize("name", PATTERNS)
@given(data=st.data())
def test_a_pattern_matches_only_valid_strings(name: str, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(PATTERNS[name]))
    if Screen({"type": "string", "format": name}).passes(text):
        assert FORMATS.conforms(text, name)


@given(st.uuids())
def test_a_uuid_passes_in_either_case(value: UUID) -> None:
    screen = Screen({"type": "string", "format": "uuid"})
    assert screen.passes(str(value))
    assert screen.passes(str(value).upper())


@given(st.datetimes(datetime(1000, 1, 1), datetime(2999, 12, 31), timezones=st.just(UTC)))
def test_a_date_time_passes_except_on_leap_days(value: datetime) -> None:
    screen = Screen({"type": "string", "format": "date-time"})
    assert screen.passes(value.isoformat()) is ((value.month, value.day) != (2, 29))


@pytest.mark.parametrize(
    "text",
    [
        "{6f9619ff-8b86-d011-b42d-00cf4fc964ff}",
        "urn:uuid:6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        "6f9619ff8b86d011b42d00cf4fc964ff",
        "6f9619ff-8b86-d011-b42d-00cf4fc964ff\n",
        "6f9619ff-8b86-d011-b42d-00cf4fc9_4ff",
    ],
)
def test_other_spellings_of_a_uuid_are_refused(text: str) -> None:
    assert not FORMATS.conforms(text, "uuid")
    assert not Screen({"type": "string", "format": "uuid"}).passes(text)
