"""Define the options of ``[dispute]`` in Airflow's configuration: the type, default and description of each.

Call an option to read its value: ``config.merge()``. Values are not cached, so a change takes effect with the
next call. ``get_provider_info`` passes :data:`OPTIONS` on to Airflow's own configuration reference.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any, ClassVar

_log = logging.getLogger(__name__)
_SECTION = "dispute"
# One year, in hours. No API grants that much time.
_MOST_HOURS = 8760.0
CASE_DAG = "_dispute_evidence"
"""The end of the ids of DAGs that take a case as a form; an API's own starts with the API's name."""
REQUEST_DAG = "_request"
"""The end of the ids of DAGs that make an API's requests; the start is the API's name."""


@dataclass(frozen=True)
class Option:
    """An option of ``[dispute]``.

    :param name: its name in ``airflow.cfg``.
    :param description: its text in Airflow's configuration reference.
    :param default: the value, as text, if the option is not set; empty by default.
    :param example: a sample value for Airflow's configuration reference; None, the default, for none.
    :param sensitive: whether Airflow masks the value, and also reads it from ``{name}_cmd`` or
        ``{name}_secret``; False by default.
    """

    kind: ClassVar[str] = "string"
    name: str
    description: str
    default: str = ""
    example: str | None = None
    sensitive: bool = False

    def documentation(self) -> dict[str, Any]:
        """Return the option in the format of ``airflow/provider_info.schema.json``."""
        return {
            "description": self.description,
            "version_added": "0.1.0",
            "type": self.kind,
            "example": self.example,
            "default": self.default,
            **({"sensitive": True} if self.sensitive else {}),
        }

    def _text(self) -> str:
        from airflow.sdk.configuration import conf

        return str(conf.get(_SECTION, self.name, fallback=self.default))

    def _names(self) -> list[str]:
        # A list in airflow.cfg may have an entry on each line.
        return [name.strip() for name in re.split(r"[,\n]", self._text()) if name.strip()]


class Text(Option):
    """An option whose value is a string."""

    def __call__(self) -> str:
        """Return the value."""
        return self._text()


class Names(Option):
    """An option whose value is a list of names, separated by commas."""

    def __call__(self) -> list[str]:
        """Return the names, without empty ones and surrounding spaces."""
        return self._names()


class Connections(Option):
    """An option whose value is a list of connections, separated by commas, each followed by its DAGs."""

    def __call__(self) -> dict[str, list[str]]:
        """Return the DAG ids of each connection id; an empty list stands for all DAGs.

        Log a warning for a connection that is named twice, and skip the second entry.
        """
        found: dict[str, list[str]] = {}
        for entry in self._names():
            connection, *dags = entry.split()
            if connection in found:
                _log.warning("[dispute] %s: skipped %r, which is named twice", self.name, entry)
            else:
                found[connection] = dags
        return found


@dataclass(frozen=True)
class Former(Names):
    """An option that ``connections`` has replaced. It works until 0.2.0.

    :param dag_id: the DAG whose copies may still read this option; empty, the default, for none.
    """

    dag_id: str = ""

    def __call__(self) -> list[str]:
        """Return the names, or those that ``connections`` gives the DAG. Log a warning if there are names."""
        if self.dag_id and connections():
            return connections_of(self.dag_id)
        names = self._names()
        if names:
            _log.warning(
                "[dispute] %s works until 0.2.0: name its connections in [dispute] connections", self.name
            )
        return names


class Pairs(Option):
    """An option whose value is a list of ``name:user`` pairs, separated by commas."""

    def __call__(self) -> list[tuple[str, str]]:
        """Return each name with its user. An entry without a colon is both.

        Log a warning for an incomplete pair, and skip it.
        """
        pairs: list[tuple[str, str]] = []
        for entry in self._names():
            name, _, user = entry.rpartition(":")
            pair = (name.strip() if ":" in entry else user.strip(), user.strip())
            if all(pair):
                pairs.append(pair)
            else:
                _log.warning("[dispute] %s: skipped %r, which is not name:user", self.name, entry)
        return pairs


class Hours(Option):
    """An option whose value is a list of hours before a due date, separated by commas."""

    def __call__(self) -> list[float]:
        """Return the hours.

        Log a warning for an entry that is not a number between 0 and 8,760 (one year), and skip it.
        """
        hours: list[float] = []
        for name in self._names():
            try:
                value = float(name)
            except ValueError:
                value = 0.0
            if 0 < value <= _MOST_HOURS:
                hours.append(value)
            else:
                _log.warning(
                    "[dispute] %s: skipped %r, which is not a number of hours up to %d",
                    self.name,
                    name,
                    _MOST_HOURS,
                )
        return hours


@dataclass(frozen=True)
class Flag(Option):
    """An option that is on or off."""

    kind: ClassVar[str] = "boolean"
    default: str = "False"

    def __call__(self) -> bool:
        """Return the value.

        :raises AirflowConfigException: if the value is neither true nor false.
        """
        from airflow.sdk.configuration import conf

        return bool(conf.getboolean(_SECTION, self.name, fallback=self.default))


case_roots = Names(
    "case_roots",
    "Folders, separated by commas, that may contain case files named in a form. Any fsspec URL is allowed. "
    "If empty, forms cannot read case files.",
    example="s3://shop-disputes/cases",
)
case_sources = Names(
    "case_sources",
    "Where the sweep looks for the case of a dispute, separated by commas; the first that has one is used. "
    "address: the files under case_roots. sql:connection:file: the query in a file, run on an Airflow "
    "connection to a database. A dotted path: a function that returns cases.",
    default="address",
    example="address,sql:shop_db:/opt/shop/disputes.sql,shop.disputes.cases",
)
connections = Connections(
    "connections",
    "Connections, separated by commas, whose disputes the sweep checks and which the page Disputes offers. A "
    "connection may be followed by the ids of the DAGs that use it, separated by spaces; without them, all "
    "DAGs do. If empty, the sweep does nothing.",
    example="stripe_default,moov_default,stripe_test stripe_request",
)
sweep_connections = Former(
    "sweep_connections",
    "Works until 0.2.0; use connections. Connection ids, separated by commas, whose disputes the sweep "
    "checks. Not read if connections is set.",
    dag_id="dispute_sweep",
)
evidence_store = Text(
    "evidence_store",
    "Folder for documents shown in the evidence viewer, for evidence that staging replaces, for cases from "
    "tables, and for lists of records that are too long for XCom. Files are named by their sha256. Any "
    "fsspec URL that workers can write and the API server can read is allowed. If empty, the folder evidence "
    "in the ledger is used, and the API server needs the same ledger.",
    example="s3://shop-disputes/evidence",
)
receipts = Text(
    "receipts",
    "Folder for receipts: one file per submission, concession and rejection, with the dispute, digest, "
    "approver and request id. Any fsspec URL is allowed. If empty, no files are written; the ledger keeps "
    "receipts in any case.",
    example="s3://shop-disputes/receipts",
)
signing_key = Names(
    "signing_key",
    "Key that signs the records passed between tasks. At least 32 characters, and the same on workers and "
    "the API server. To rotate it, set new,old: the first key signs, all keys verify. If empty, the API key "
    "of each connection is used, and replacing that API key requires new reviews.",
    sensitive=True,
)
ledger = Text(
    "ledger",
    "Folder of the ledger, which locks each dispute across tasks, runs, connections and deployments, and "
    "records every submission. Name a folder that all workers and the API server share, by its full path, or "
    "a bucket (s3:// or gs://). Keep its files for as long as disputes can be reopened; never delete any, "
    "except old ones in its folder evidence, where documents are stored if evidence_store is empty. If "
    "empty, the folder dispute_ledger under AIRFLOW_HOME is used, which works on a single machine only.",
    example="s3://shop-disputes/ledger",
)
fonts = Names(
    "fonts",
    "Local folders with further TrueType fonts on the workers, separated by commas. Texts, e-mails and "
    "captions that become pages, and PDFs that do not contain their fonts, are drawn with these, with those "
    "of the system, and with DejaVu Sans, which this package has.",
    example="/opt/shop/fonts",
)
prepare = Names(
    "prepare",
    "How documents of every case may be prepared if the API does not take them as they are, separated by "
    "commas: clean, convert and shrink. A case can switch on more with prepare. Needs "
    "dispute-provider[packet] on the workers. If empty, such documents are refused.",
    example="clean,convert",
)
merge = Text(
    "merge",
    "What the example DAGs do with a field that someone else has filled in: keep its value, overwrite it, or "
    "fail. One of keep, overwrite and fail.",
    default="keep",
)
switch_to_manual = Flag(
    "switch_to_manual",
    "Whether the example DAGs may switch a dispute to manual submission if the API would otherwise submit it "
    "automatically at the due date. If false, such a dispute is refused.",
)
allow_unknown_submission_method = Flag(
    "allow_unknown_submission_method",
    "Whether the example DAGs may stage evidence if the API does not state whether it would submit it "
    "automatically at the due date. If false, such a dispute is refused.",
)
allow_anonymous = Flag(
    "allow_anonymous",
    "Whether an answer to a review counts if Airflow does not know who gave it. Only for demonstrations.",
)
reviewers = Names(
    "reviewers",
    "Users who may answer reviews, separated by commas: user ids of Airflow's auth manager, or id:name. If "
    "empty, every user who may edit the DAG can answer.",
    example="ana,7:ben",
)
people = Pairs(
    "people",
    "Airflow users for the names in cases (prepared_by), separated by commas: name:user, or just the user if "
    "both are the same. A user is an id or a login name. If a review requires four eyes and the preparer of "
    "a case is not listed here, the case is held. If empty, only users of the trigger form are known.",
    example="ana@example.com:ana,Ana Lopez:7,ben",
)
notifiers = Names(
    "notifiers",
    "Notifiers to call when a review opens and when a dispute is due soon, separated by commas: dotted paths "
    "of notifier objects, or of functions that return one. Their templates can use message and link. If "
    "empty, no notifications are sent.",
    example="shop.channels.disputes",
)
reminders = Hours(
    "reminders",
    "Hours before the due date at which the sweep sends a reminder of an open dispute, separated by commas. "
    "Each reminder is sent once. If empty, none are sent.",
    default="72,24,8",
)
ask_again = Hours(
    "ask_again",
    "Hours before the due date at which the sweep opens another review of an open dispute, separated by "
    "commas. Each review is opened once; a rejected dispute is reviewed again only at the first of these "
    "hours. Leave more hours between two values than between two sweeps. If empty, no review is repeated.",
    default="24,6,2",
)
request_connections = Former(
    "request_connections",
    "Works until 0.2.0; use connections. Connection ids, separated by commas, that the API explorer offers. "
    "Not read if connections is set.",
)
every_page = Flag(
    "every_page",
    "Whether the page Disputes takes the choice Submit only after every page of the documents was on screen. "
    "It guides people and is no access control: Airflow's own form and API take an answer without it.",
)
operation_dags = Flag(
    "operation_dags",
    "Whether the example DAGs include one DAG for each operation, such as stripe_GetDisputes, as they did "
    "before. Works until 0.2.0; use stripe_request and moov_request.",
)
sweep_schedule = Text(
    "sweep_schedule",
    "Schedule of the sweep: a cron expression, or a preset such as @hourly.",
    default="0 * * * *",
)

OPTIONS = tuple(option for option in list(vars().values()) if isinstance(option, Option))
"""Every option, in the order of this file."""


def connections_of(dag_id: str) -> list[str]:
    """Return the connections that ``[dispute] connections`` gives a DAG, in their order.

    If it names none, the options that it has replaced are read. Log a warning if it names some, and none of
    them for a DAG that works through its connections.

    :param dag_id: such as ``dispute_sweep`` or ``stripe_request``.
    """
    if named := connections():
        found = [connection for connection, dags in named.items() if not dags or dag_id in dags]
        if not found and not dag_id.endswith(REQUEST_DAG):
            _log.warning(
                "[dispute] connections: %s name other DAGs than %s, which does nothing. Connections are "
                "separated by commas",
                ", ".join(named),
                dag_id,
            )
        return found
    if not dag_id.endswith(REQUEST_DAG):
        return list(dict.fromkeys(sweep_connections()))
    default = dag_id.removesuffix(REQUEST_DAG) + "_default"
    return list(dict.fromkeys(request_connections() or [*sweep_connections(), default]))


def case_dag(connection: str, api: str) -> str | None:
    """Return the id of the DAG that takes a case of a connection as a form; None if it has no such DAG.

    :param api: the name of the connection's API, such as ``stripe``.
    """
    dags = connections().get(connection) or [f"{api}{CASE_DAG}"]
    return next((dag_id for dag_id in dags if dag_id.endswith(CASE_DAG)), None)
