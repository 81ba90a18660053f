"""The operator that makes cases from the rows of a database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseAsyncOperator

from dispute_provider._state.ledger_id import LEDGER
from dispute_provider._tasks.batch import Apis
from dispute_provider._tasks.operator_defaults import with_defaults

if TYPE_CHECKING:
    from airflow.sdk import Context


class CasesFromSqlOperator(BaseAsyncOperator):
    """Make cases for the open disputes of a connection from the rows of one query.

    The query gets ``:disputes`` and ``:charges``, lists of ids for ``IN :charges``, and ``:provider``, as
    bound parameters. Its column ``dispute`` or ``charge`` names the dispute of a row. The other columns are
    facts for templates by their names, such as ``"order.number"``; ``template``, ``product``,
    ``prepared_by``, ``customer_contacted`` and ``account`` are about the case, and names that start with
    ``evidence.`` are evidence. See docs/templates.md. Use a database user that can only read.

    The cases go into ``[dispute] evidence_store``; neither rows nor values are logged.

    :param conn_id: Airflow connection to the API (templated).
    :param sql_conn_id: Airflow connection to the database (templated). Its package must be installed.
    :param sql: the query, or a ``.sql`` file with it (templated).
    :raises TableError: if the query, or what it returned, cannot be used.
    :raises EvidenceStoreError: if the evidence store cannot be written.
    :raises ApiError: if the open disputes cannot be listed.
    :returns: a reference for each case, for ``StageEvidenceOperator(cases=…)``.
    """

    template_fields: Sequence[str] = ("conn_id", "sql_conn_id", "sql")
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql"}
    ui_color = "#d0e0e3"

    def __init__(self, *, conn_id: str, sql_conn_id: str, sql: str, **kwargs: Any) -> None:
        super().__init__(**with_defaults(kwargs, LEDGER))
        self.conn_id = conn_id
        self.sql_conn_id = sql_conn_id
        self.sql = sql

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        return super().partial(**with_defaults(kwargs, LEDGER))

    async def aexecute(self, context: Context) -> list[dict[str, str]]:
        from dispute_provider._state import evidence_store
        from dispute_provider._tasks.case_sources import query_cases
        from dispute_provider._tasks.stored_cases import store_case

        evidence_store.check(context)
        async with Apis() as apis:
            api = await apis.of(self.conn_id)
            disputes = [each for each in (await api.list_open()).disputes if not each.closed]
        cases = await asyncio.to_thread(query_cases, self.sql_conn_id, self.sql, api.name, disputes)
        self.log.info("open=%d cases=%d", len(disputes), len(cases))
        return [store_case(case, f"the query on {self.sql_conn_id}") for case in cases]
