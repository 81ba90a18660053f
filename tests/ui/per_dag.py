"""An auth manager that knows rights on single DAGs, as those that people use do."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

# Whose rights end at one DAG.
ONLY = {"bob": "viewed_elsewhere"}


class PerDagAuthManager(SimpleAuthManager):
    """Airflow's simple one, but that some users have nothing to do with other DAGs than their own."""

    def is_authorized_dag(self, *, user: Any, details: Any = None, **asked: Any) -> bool:
        only = ONLY.get(user.username)
        if only and (details is None or details.id != only):
            return False
        return super().is_authorized_dag(user=user, details=details, **asked)
