"""Check Moov's keys, tokens, scopes and origins."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

from dispute_provider.sandbox._forms import FormError, nest, pairs
from dispute_provider.sandbox._objects.moov import Token
from dispute_provider.sandbox._state import World
from dispute_provider.sandbox._wire import Call, Response, basic_credentials, bearer_token, json_response

SCOPES = {
    "listDisputes": "transfers.read",
    "getDispute": "transfers.read",
    "acceptDispute": "transfers.write",
    "listDisputeEvidence": "transfers.read",
    "uploadDisputeEvidenceFile": "transfers.write",
    "uploadDisputeEvidenceText": "transfers.write",
    "getDisputeEvidence": "transfers.read",
    "getDisputeEvidenceData": "transfers.read",
    "updateDisputeEvidence": "transfers.write",
    "deleteDisputeEvidenceFile": "transfers.write",
    "submitDisputeEvidence": "transfers.write",
    "getAccount": "profile.read",
}
_SCOPE = re.compile(r"/(accounts/(?P<account>[0-9a-f-]{36})/)?[a-z0-9-]+\.(read|write)")
_TOKEN_FIELDS = {"grant_type", "client_id", "client_secret", "scope", "refresh_token", "client_type"}
_REVOKE_FIELDS = {"token", "token_type_hint", "client_id", "client_secret"}
REFRESH_SECONDS = 30 * 86400


class MoovError(Exception):
    """An error answer: a status, and a body if the API documents one."""

    def __init__(self, status: int, body: str | dict[str, Any] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = {"error": body} if isinstance(body, str) else body

    def answer(self) -> Response:
        return Response(self.status) if self.body is None else json_response(self.status, self.body)


def authorize(world: World, call: Call) -> None:
    """Check the credentials of a call.

    :raises MoovError: 401 for unknown credentials, 403 for a call that they do not cover.
    """
    authorization = call.header("authorization") or ""
    account = world.accounts.get(("moov", call.account)) if call.account else None
    basic = basic_credentials(authorization)
    if basic is not None:
        if not basic[1] or world.moov_keys.get(basic[0]) != basic[1]:
            raise MoovError(401)
    else:
        token = world.tokens.get(bearer_token(authorization) or "")
        if token is None or token.kind != "access_token" or token.expires <= world.clock.now():
            raise MoovError(401)
        scope = SCOPES.get(call.operation)
        if scope and f"/accounts/{call.account}/{scope}" not in token.scopes:
            raise MoovError(403)
    if call.account and account is None:
        raise MoovError(403)
    if account and account.origin and call.header("origin") != account.origin:
        raise MoovError(403)


def create_token(world: World, call: Call) -> Response:
    given = _read(call, _TOKEN_FIELDS)
    _authenticate_client(world, call, given)
    now = world.clock.now()
    match given.get("grant_type"):
        case "client_credentials":
            scopes = frozenset(str(given.get("scope") or "").split())
            if not scopes:
                raise MoovError(422, {"scope": "a scope is required"})
            for scope in scopes:
                match_ = _SCOPE.fullmatch(scope)
                if not match_ or (match_["account"] and ("moov", match_["account"]) not in world.accounts):
                    raise MoovError(422, {"scope": f"{scope} is not a scope"})
        case "refresh_token":
            token = world.tokens.pop(str(given.get("refresh_token") or ""), None)
            if token is None or token.kind != "refresh_token" or token.expires <= now:
                raise MoovError(422, {"refresh_token": "unknown or expired"})
            scopes = token.scopes
        case _:
            raise MoovError(400, "grant_type must be client_credentials or refresh_token")
    seconds = world.settings.token_seconds
    access = secrets.token_urlsafe(24)
    world.tokens[access] = Token("access_token", scopes, now + seconds)
    issued: dict[str, Any] = {
        "token_type": "Bearer",
        "access_token": access,
        "expires_in": int(now) + seconds if world.settings.absolute_expiry else seconds,
        "scope": " ".join(sorted(scopes)),
    }
    if world.settings.refresh_tokens:
        issued["refresh_token"] = secrets.token_urlsafe(24)
        world.tokens[issued["refresh_token"]] = Token("refresh_token", scopes, now + REFRESH_SECONDS)
    call.changed = True
    return json_response(200, issued)


def revoke_token(world: World, call: Call) -> Response:
    given = _read(call, _REVOKE_FIELDS)
    _authenticate_client(world, call, given)
    if not isinstance(given.get("token"), str):
        raise MoovError(422, {"token": "a token is required"})
    if given.get("token_type_hint", "access_token") not in ("access_token", "refresh_token"):
        raise MoovError(422, {"token_type_hint": "access_token or refresh_token"})
    call.changed = world.tokens.pop(given["token"], None) is not None
    return Response(204)


def _read(call: Call, allowed: set[str]) -> dict[str, Any]:
    try:
        if call.content_type == "application/json":
            given = json.loads(call.body)
        elif call.content_type == "application/x-www-form-urlencoded":
            given = nest(pairs(call.body.decode("ascii")))
        else:
            raise MoovError(400, "the body must be JSON or a form")
    except (ValueError, FormError):
        raise MoovError(400, "the body cannot be read") from None
    if not isinstance(given, dict):
        raise MoovError(400, "the body must be an object")
    call.decoded = given
    unknown = given.keys() - allowed
    if unknown:
        raise MoovError(400, f"unknown field {min(unknown)}")
    return given


def _authenticate_client(world: World, call: Call, given: dict[str, Any]) -> None:
    """Check the client's credentials in the header or the body.

    :raises MoovError: 400 if they are invalid.
    """
    basic = basic_credentials(call.header("authorization") or "")
    public, secret = basic or (given.get("client_id"), given.get("client_secret"))
    if not secret or world.moov_keys.get(str(public)) != secret:
        raise MoovError(400, "unknown client")
