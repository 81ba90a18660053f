"""Reviewers, and their answers to forms."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.transcript import Approval, Shown, Transcript
from tests.chaos.world.airflow import moment
from tests.chaos.world.clock import now

REVIEWER = {"id": "7", "name": "ana"}
_DAY = 86_400.0


@dataclass(frozen=True)
class ShownForm:
    """A form as its reviewer has it before them: what can be chosen, and what was read to make it.

    :param conceding: the labels that give a dispute up.
    """

    options: list[str]
    multiple: bool
    shown: dict[str, Shown]
    conceding: list[str] = field(default_factory=list)

    @property
    def disputes(self) -> list[str]:
        return list(self.shown)


def form_of(form: dict[str, Any], shown: dict[str, Shown]) -> ShownForm:
    """Return a form as its reviewer has it before them.

    :param form: as the operator has made it.
    :param shown: what its maker has read of each dispute.
    """
    field = form["params"].get("concede", {"schema": {}})
    options = form["options"]
    conceding = field["schema"].get("examples") or [o for o in options if o.startswith("Concede ")]
    return ShownForm(options, form["multiple"], shown, conceding)


@dataclass
class Reply:
    """What a reviewer answers, and what they meant by it.

    :param after: seconds until they do.
    :param approved: the disputes that a named person said yes to, in an answer that is no contradiction.
    :param conceded: the disputes that a named person gave up, and said so twice.
    :param rejected: the disputes that a named person rejected.
    """

    after: float
    chosen: list[str]
    approved: list[str] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    user: dict[str, str] | None = field(default_factory=lambda: dict(REVIEWER))
    conceded: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)

    def event(self) -> dict[str, Any]:
        """As Airflow resumes a task with it."""
        return {
            "chosen_options": self.chosen,
            "params_input": self.params,
            "responded_at": moment(),
            "responded_by_user": self.user,
            "timedout": False,
        }


def note(transcript: Transcript, run: str, review: str, form: ShownForm, reply: Reply) -> None:
    """Note in the transcript what a reviewer has approved, conceded and rejected.

    :param run: run and generation.
    """
    for given, disputes in (
        (transcript.approvals, reply.approved),
        (transcript.concessions, reply.conceded),
    ):
        given += [Approval(run, review, each, now(), form.shown[each]) for each in disputes]
    transcript.rejections += [(run, each) for each in reply.rejected]


TIMED_OUT = {"error": "The response timeout has passed without a response.", "error_type": "timeout"}


def review(form: ShownForm, dice: random.Random, slowest: float | None) -> Reply:
    """A reviewer's answer to a form.

    :param slowest: seconds; None for one who may think for days.
    """
    after = dice.uniform(5, slowest) if slowest else dice.choice([20.0, 3000.0, 40_000.0, 12 * _DAY])
    mood = dice.random()
    yes = _yes(form, form.disputes)
    if mood < 0.74:
        return Reply(
            after, yes, list(form.disputes), {"note": "", "reject": []} if dice.random() < 0.5 else {}
        )
    if mood < 0.82:
        return _some(form, dice, after)
    if mood < 0.84:
        return _hold(form, after)
    if mood < 0.87:
        return _giving_up(form, dice, after)
    if mood < 0.91:
        return (
            Reply(after, yes, params={"note": "", "reject": form.disputes}, rejected=form.disputes)
            if form.multiple
            else _no(form, after)
        )
    if mood < 0.94:
        return Reply(after, yes, user={"id": "Anonymous", "name": "Anonymous"})
    if mood < 0.96:
        return Reply(after, yes, user=None)
    if mood < 0.98:
        return Reply(after, [*yes, "Submit none" if form.multiple else "Hold for later"])
    return Reply(after, [option.replace("· ", "· 9", 1) for option in yes], params={"note": 7})


def _approve(form: ShownForm, after: float) -> Reply:
    return Reply(after, _yes(form, form.disputes), list(form.disputes))


def _hold(form: ShownForm, after: float) -> Reply:
    return Reply(after, ["Submit none" if form.multiple else "Hold for later"])


def _approve_at_once(form: ShownForm, after: float) -> Reply:
    return _approve(form, 0.1)


def _late(form: ShownForm, after: float) -> Reply:
    return Reply(60 * _DAY, _yes(form, form.disputes))


def _without_login(form: ShownForm, after: float) -> Reply:
    return Reply(after, _yes(form, form.disputes), user={"id": "Anonymous", "name": "Anonymous"})


def _other_digest(form: ShownForm, after: float) -> Reply:
    return Reply(after, [option.replace("· ", "· 9", 1) for option in _yes(form, form.disputes)])


def _concede_once(form: ShownForm, after: float) -> Reply:
    """Concede a dispute without its id, which the form asks for as a confirmation."""
    if not form.conceding:
        return _hold(form, after)
    return Reply(after, [form.conceding[0]], params={"concede": [], "concede_confirm": ""})


REPLIES: dict[str, Callable[[ShownForm, float], Reply]] = {
    "approve": _approve,
    "approve at once": _approve_at_once,
    "hold": _hold,
    "late": _late,
    "without login": _without_login,
    "other digest": _other_digest,
    "concede once": _concede_once,
}


def next_reply(replies: list[str], form: ShownForm, dice: random.Random, slowest: float | None) -> Reply:
    """Return the next of a situation's replies, the last one again and again; without any, draw it."""
    if not replies:
        return review(form, dice, slowest)
    reply = replies.pop(0) if len(replies) > 1 else replies[0]
    return REPLIES[reply](form, dice.uniform(5, slowest or 900.0))


def _no(form: ShownForm, after: float) -> Reply:
    return Reply(after, ["Reject this evidence"], rejected=list(form.disputes))


def _giving_up(form: ShownForm, dice: random.Random, after: float) -> Reply:
    """One is conceded, or would be had it been said a second time, and of the right dispute; else edited."""
    if not form.conceding:
        return _editing(form, after)
    label = dice.choice(form.conceding)
    (dispute,) = (dispute for dispute in form.disputes if label.startswith(f"Concede {dispute}:"))
    said = dice.choice([dispute, dispute, dispute, "", "yes", f"{dispute} and another"])
    params = {"concede": [label] if form.multiple else [], "concede_confirm": said}
    chosen = ["Submit none"] if form.multiple else [label]
    return Reply(after, chosen, params=params, conceded=[dispute] if said == dispute else [])


def _editing(form: ShownForm, after: float) -> Reply:
    if form.multiple:
        return Reply(after, ["Submit none"], params={"edit": form.disputes[:1]})
    return Reply(after, [option for option in form.options if option.startswith("Edit")])


def _some(form: ShownForm, dice: random.Random, after: float) -> Reply:
    if not form.multiple:
        return _no(form, after)
    some = sorted(dice.sample(form.disputes, dice.randint(1, len(form.disputes))))
    rest = [dispute for dispute in form.disputes if dispute not in some]
    return Reply(after, _yes(form, some), some, {"note": "why", "reject": rest[:1]}, rejected=rest[:1])


def _yes(form: ShownForm, disputes: list[str]) -> list[str]:
    """The options that approve these."""
    if not form.multiple:
        return [option for option in form.options if option.startswith("Submit ·")]
    if len(disputes) == len(form.disputes):
        return [option for option in form.options if option.startswith("Submit all ")]
    return [o for o in form.options if any(o.startswith(f"Submit {dispute} ") for dispute in disputes)]
