"""What both kinds of transport keep to: addresses, limits, and what no answer means."""

from __future__ import annotations

from collections.abc import Mapping

from dispute_provider.apis.api import Send
from dispute_provider.contracts.answers import Answer, read_answer, unreadable
from dispute_provider.contracts.contract import Request
from dispute_provider.exceptions import ApiError
from dispute_provider.transport.settings import Settings
from dispute_provider.transport.unsent import unsent

CONNECT_SECONDS = 10.0
READ_SECONDS = 80.0
# So many seconds after nobody waits for it any more, a request has arrived or never will: twice the longest
# time limit.
SETTLED_AFTER = 180.0
LARGEST_ANSWER = 16 * 1024 * 1024


def url(settings: Settings, request: Request) -> str:
    """Where a request goes."""
    return (settings.base_url or request.operation.server) + request.path


def answer_to(step: Send, settings: Settings, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """What was answered.

    :param body: of what is too large, a little more than is allowed.
    :raises ApiError: one of the tree.
    """
    if len(body) > LARGEST_ANSWER:
        problem = f"the answer is larger than {LARGEST_ANSWER:,} bytes"
        raise unreadable(step.request, problem, status)
    return read_answer(step.request, status, headers, body, step.authorization, settings.authorization)


def unreachable(settings: Settings, request: Request, error: BaseException) -> ApiError:
    """There was no connection to send on."""
    address = url(settings, request)
    return unsent(error, request.operation.id, address, settings.network.proxy_for(address))


def no_answer(request: Request, error: BaseException, *, late: bool) -> ApiError:
    """The request may have arrived.

    :param late: whether its time was up: then it may be under way still.
    """
    problem = f"the connection broke before the answer was read: {type(error).__name__}"
    return unreadable(request, problem, under_way=late)
