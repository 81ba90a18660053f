"""One dispute of the demo, and its case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class DemoDispute:
    """One dispute of the demo.

    :param about: what it demonstrates.
    :param made: its fields at the sandbox.
    :param evidence: of its case; None if it has no case.
    :param later: evidence that is added once its inquiry has become a chargeback.
    :param documents: contents by file name, in the folder of the case.
    :param about_case: further keys of the case.
    :param rejected: whether the reviewer rejects it with ``--auto``.
    :param stages: in which it must be submitted, once each.
    :param state: of its record in the end.
    :param status: at the API in the end.
    """

    id: str
    about: str
    connection: str
    made: Mapping[str, Any]
    evidence: Mapping[str, Any] | None
    stages: tuple[str, ...]
    state: str
    status: str
    later: Mapping[str, Any] | None = None
    documents: Mapping[str, bytes] = field(default_factory=dict)
    about_case: Mapping[str, Any] = field(default_factory=dict)
    rejected: bool = False

    @property
    def provider(self) -> str:
        return str(self.made["api"])

    def write_case(self, root: Path, *, escalated: bool = False) -> None:
        """Write its case and documents into its own folder, and replace existing files.

        :param escalated: add the evidence for the chargeback.
        """
        if self.evidence is None:
            return
        import yaml

        folder = root / self.id
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.documents.items():
            (folder / name).write_bytes(content)
        evidence = {**self.evidence, **(self.later or {} if escalated else {})}
        case = {"provider": self.provider, "dispute": self.id, **self.about_case, "evidence": evidence}
        text = yaml.safe_dump(case, allow_unicode=True, sort_keys=False, width=90)
        # Atomic, so that a sweep that reads now finds either the old case or the new one.
        unfinished = folder / "unfinished"
        unfinished.write_text(f"# {self.about}\n{text}", encoding="utf-8")
        unfinished.replace(folder / "case.yaml")
