"""The options of ``[dispute]`` in Airflow's configuration: type, default and documentation of each, once.

Call an option to read it: ``config.merge()``. Nothing is cached: a change takes effect with the next call.
``get_provider_info`` documents :data:`OPTIONS` to Airflow.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, ClassVar

_log = logging.getLogger(__name__)
_SECTION = "dispute"
# Hours of a year: no API gives that much time.
_MOST_HOURS = 8760.0


@dataclass(frozen=True)
class Option:
    """An option of ``[dispute]``.

    :param default: the text that counts where the option is not set.
    :param example: shown in Airflow's documentation; None to show only the default.
    :param sensitive: whether Airflow masks the value, and reads it from ``{name}_cmd`` or ``{name}_secret``
        as well.
    """

    kind: ClassVar[str] = "string"
    name: str
    description: str
    default: str = ""
    example: str | None = None
    sensitive: bool = False

    def documentation(self) -> dict[str, Any]:
        """Return the option as ``airflow/provider_info.schema.json`` describes it."""
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
        return [name.strip() for name in self._text().split(",") if name.strip()]


class Text(Option):
    """An option whose value is a text."""

    def __call__(self) -> str:
        return self._text()


class Names(Option):
    """An option whose value is a list of names, separated by commas."""

    def __call__(self) -> list[str]:
        return self._names()


class Pairs(Option):
    """An option whose value is a list of ``name:user`` pairs, separated by commas."""

    def __call__(self) -> list[tuple[str, str]]:
        """Return names and users; a user alone stands for itself. An incomplete pair is logged."""
        pairs: list[tuple[str, str]] = []
        for entry in self._names():
            name, _, user = entry.rpartition(":")
            pair = (name.strip() if ":" in entry else user.strip(), user.strip())
            if all(pair):
                pairs.append(pair)
            else:
                _log.warning("[dispute] %s names %r, which is not name:user", self.name, entry)
        return pairs


class Hours(Option):
    """An option whose value is a list of hours before a due date, separated by commas."""

    def __call__(self) -> list[float]:
        """Return the hours; what is not a number of hours is logged and left out."""
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
                    "[dispute] %s names %r, which is not a number of hours before a due date", self.name, name
                )
        return hours


@dataclass(frozen=True)
class Flag(Option):
    """An option that is on or off."""

    kind: ClassVar[str] = "boolean"
    default: str = "False"

    def __call__(self) -> bool:
        """Return the flag.

        :raises AirflowConfigException: if it is set to something else than true or false.
        """
        from airflow.sdk.configuration import conf

        return bool(conf.getboolean(_SECTION, self.name, fallback=self.default))


case_roots = Names(
    "case_roots",
    "Folders, separated by commas, under which a case that is named in a form must be; any fsspec "
    "address. Empty: no case is read by path from a form.",
    example="s3://shop-disputes/cases",
)
sweep_connections = Names(
    "sweep_connections",
    "Connections, separated by commas, that the sweep looks after.",
    example="stripe_default,moov_default",
)
evidence_store = Text(
    "evidence_store",
    "Folder for documents by their sha256, which the evidence viewer shows, for what staging replaces, "
    "and for records too many for XCom; any fsspec address that workers write and the API server reads. "
    "Empty: nothing is kept.",
    example="s3://shop-disputes/evidence",
)
receipts = Text(
    "receipts",
    "Folder for one file per submission, concession and rejection: dispute, digest, approver, request id; "
    "any fsspec address. "
    "Empty: none are written.",
    example="s3://shop-disputes/receipts",
)
signing_key = Names(
    "signing_key",
    "Key that signs what tasks hand to one another, at least 32 characters, the same for workers and API "
    "server. new,old rotates: the first signs, all verify. Empty: records are signed under the API key of "
    "their connection, so that a replaced API key asks for a new review.",
    sensitive=True,
)
ledger = Text(
    "ledger",
    "Folder of the ledger, which locks each dispute between tasks, runs, connections and deployments, and "
    "keeps what was sent: a folder that all workers share, or a bucket of s3:// or gs://. Keep it for as "
    "long as disputes can come back; never delete files in it. Empty: dispute_ledger under AIRFLOW_HOME, "
    "which does for one machine only.",
    example="s3://shop-disputes/ledger",
)
merge = Text(
    "merge",
    "What the shipped DAGs do where somebody else has filled in a field: keep that evidence, overwrite "
    "it, or fail.",
    default="keep",
)
switch_to_manual = Flag(
    "switch_to_manual",
    "Whether the shipped DAGs may switch a dispute to manual that its API would answer by itself at the "
    "due date; it is refused otherwise.",
)
allow_unknown_submission_method = Flag(
    "allow_unknown_submission_method",
    "Whether the shipped DAGs may stage evidence where the API does not say if it would submit it by "
    "itself at the due date; it is refused otherwise.",
)
allow_anonymous = Flag(
    "allow_anonymous",
    "Whether an answer without a login may approve; for demonstrations only.",
)
reviewers = Names(
    "reviewers",
    "Who may answer reviews, separated by commas: ids as the login knows them, or id:name. Empty: "
    "everybody who may edit the DAG.",
    example="ana,7:ben",
)
people = Pairs(
    "people",
    "Airflow users that the names in cases stand for: name:user, separated by commas. The user is an id or "
    "a login name; a user alone stands for itself. Where four eyes are required, a case is held whose "
    "preparer is not listed. Empty: only who fills in the trigger form is known.",
    example="ana@example.com:ana,Ana Lopez:7,ben",
)
notifiers = Names(
    "notifiers",
    "Notifiers to call when a review opens and when a dispute is due soon: dotted paths, separated by "
    "commas, of notifiers or of functions that make one. Their templates have message and link. Empty: none.",
    example="shop.channels.disputes",
)
reminders = Hours(
    "reminders",
    "Hours before a due date at which the sweep reminds of a dispute that is still open, separated by "
    "commas; each once. Empty: never.",
    default="72,24,8",
)
ask_again = Hours(
    "ask_again",
    "Hours before a due date at which the sweep puts a dispute to review again that is still open, "
    "separated by commas; each once. What was rejected is asked about at the first of them only. Leave "
    "more time than between two sweeps. Empty: never.",
    default="24,6",
)
sweep_schedule = Text(
    "sweep_schedule",
    "When the sweep runs: a cron expression, or a preset such as @hourly.",
    default="0 * * * *",
)

OPTIONS = tuple(option for option in list(vars().values()) if isinstance(option, Option))
