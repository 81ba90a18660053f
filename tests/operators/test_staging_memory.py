"""What staging remembers of a broken try."""

from __future__ import annotations

import time
from typing import Any

from dispute_provider.operators.staging_memory import UPLOADS, StagingMemory


class Store(dict[str, Any]):
    def set(self, key: str, value: Any) -> None:
        self[key] = value


def test_the_uploads_of_a_broken_try_are_waited_for_once_not_anew_for_each_dispute():
    store = Store()
    context: Any = {"asset_state_store": {UPLOADS: store}}
    broken = StagingMemory(context, "moov")
    broken.begin("first", [])
    broken.begin("second", [])

    memory = StagingMemory(context, "moov")
    first = memory.of("first").settling
    time.sleep(0.05)
    second = memory.of("second").settling

    assert 150 < second <= first - 0.05
    assert memory.of("untouched").settling == 0
