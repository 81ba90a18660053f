"""Requests equal those of the official client, and an id or a text changes nothing but itself."""

from __future__ import annotations

import json
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qsl, quote_plus, unquote, urlsplit

import pytest
import stripe
import yarl
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from requests import Request as PlainRequest

from dispute_provider._contracts.contract import load
from dispute_provider._contracts.encoding import FilePart, multipart_encode, query_string
from dispute_provider._contracts.request import Request, encode
from dispute_provider.exceptions import InvalidRequestError
from dispute_provider.sandbox import MOOV_ACCOUNT

CONTRACT = load("stripe")
PROPERTIES = CONTRACT.document["components"]["schemas"]["DisputeEvidenceParams"]["properties"]
TEXTS = [name for name, schema in PROPERTIES.items() if schema.get("maxLength")]
FILES = [name for name, schema in PROPERTIES.items() if schema.get("x-kind") == "file"]
CASE_ID = "c1a7e5a4-2f3b-4a7e-8a0e-3f6f3f9b2d10"

# Whole characters: half a surrogate pair is refused; see test_refusals.py.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
some_text = text.filter(bool)
file_id = st.from_regex(r"file_[A-Za-z0-9]{1,24}", fullmatch=True)
address = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(["city", "country", "line1", "line2", "postal_code", "state"], some_text)
)
transaction: dict[str, st.SearchStrategy[Any]] = {
    "customer_account_id": some_text,
    "customer_email_address": some_text,
    "customer_purchase_ip": some_text,
    "product_description": some_text,
    "shipping_address": address,
}
purpose: st.SearchStrategy[Any] = st.sampled_from(["merchandise", "services"])
fee = st.fixed_dictionaries({}, optional={"fee_acknowledged": st.booleans()})
disputed = st.fixed_dictionaries({}, optional={**transaction, "merchandise_or_services": purpose})
prior = st.fixed_dictionaries({"charge": some_text}, optional=transaction)
compelling = st.fixed_dictionaries(
    {},
    optional={
        "disputed_transaction": disputed,
        "prior_undisputed_transactions": st.lists(prior, max_size=3),
    },
)
enhanced = st.fixed_dictionaries(
    {},
    optional={
        "visa_compliance": fee,
        "mastercard_compliance": fee,
        "visa_compelling_evidence_3": compelling,
    },
)
# As the official client's DisputeModifyParamsEvidenceAppeal has it.
appeal_card = st.fixed_dictionaries(
    {},
    optional={
        "reason_for_filing": text,
        "supporting_files": st.one_of(st.just(""), st.lists(file_id, max_size=3)),
    },
)
appeal = st.fixed_dictionaries({}, optional={"card": st.one_of(st.just(""), appeal_card)})
evidence = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(TEXTS, text),
        **dict.fromkeys(FILES, file_id),
        "enhanced_evidence": st.one_of(st.just(""), enhanced),
        "appeal": st.one_of(st.just(""), appeal),
    },
)
key = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="[]"), min_size=1, max_size=20
)
body = st.fixed_dictionaries(
    {"submit": st.booleans(), "evidence": evidence},
    optional={
        "metadata": st.one_of(st.just(""), st.dictionaries(key, text, max_size=4)),
        "expand": st.lists(st.sampled_from(["charge", "payment_intent", "evidence.receipt"]), max_size=3),
    },
)


class Recorder(stripe.HTTPClient):
    """Takes the place of the network below the official client."""

    name = "recorder"

    def request(self, method: str, url: str, headers: Any, post_data: Any = None, **_: Any) -> Any:
        self.sent = (method, url, post_data)
        return "{}", 200, {}

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


def decoded(form: str) -> Any:
    """Return the structure that a form with brackets encodes."""
    root: dict[str, Any] = {}
    for name, value in parse_qsl(form, keep_blank_values=True, strict_parsing=bool(form)):
        first, *others = name.replace("]", "").split("[")
        at = root
        for step, following in zip([first, *others], [*others, None], strict=True):
            if following is None:
                assert step not in at, f"{name} twice"
                at[step] = value
            else:
                at = at.setdefault(step, {})
    return root


def expected(value: Any) -> Any:
    """What should arrive: a list by its indices, true for True, an empty structure not at all."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        value = {str(index): item for index, item in enumerate(value)}
    if isinstance(value, dict):
        return {
            name: expected(item)
            for name, item in value.items()
            if item not in ({}, []) and expected(item) != {}
        }
    return value


@settings(max_examples=600, deadline=None, derandomize=True)
@given(arguments=body)
def test_stripes_form_is_what_the_official_client_sends(
    recorder: Recorder, arguments: dict[str, Any]
) -> None:
    ours = Request.of(CONTRACT["PostDisputesDispute"], dispute="dp_1", **arguments)
    client = stripe.StripeClient("sk_test_x", http_client=recorder)
    client.v1.disputes.update("dp_1", arguments)  # type: ignore[arg-type]  # generated, so no TypedDict
    method, url, form = recorder.sent
    assert (ours.method.lower(), ours.path) == (method, urlsplit(url).path)
    assert ours.body is not None
    assert decoded(ours.body.decode("ascii")) == decoded(form or "") == expected(arguments)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(words=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
def test_moovs_json_contains_the_text_unchanged(words: str) -> None:
    request = Request.of(
        load("moov")["uploadDisputeEvidenceText"],
        accountID=MOOV_ACCOUNT,
        disputeID=CASE_ID,
        evidenceType="other",
        text=words,
    )
    assert request.body is not None
    assert json.loads(request.body) == {"evidenceType": "other", "text": words}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(content=st.binary(max_size=400), stem=st.from_regex(r"[A-Za-z0-9._-]{1,60}", fullmatch=True))
def test_a_file_is_sent_unchanged(content: bytes, stem: str) -> None:
    part = FilePart(f"{stem}.pdf", content + b"\r\n--\r\n", "application/pdf")
    request = Request.of(CONTRACT["PostFiles"], purpose="dispute_evidence", file=part)
    assert request.body is not None
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + request.body)
    # The parser may change line ends: the file itself is looked for in the body.
    _, purpose, file = message.walk()
    assert purpose.get_payload() == "dispute_evidence"
    assert file.get_filename() == f"{stem}.pdf"
    assert file.get_content_type() == "application/pdf"
    boundary = message.get_boundary()
    assert b"\r\n\r\n" + part.content + f"\r\n--{boundary}".encode() in request.body
    assert boundary is not None
    assert boundary.encode() not in part.content


@pytest.mark.parametrize("filename", ['a".pdf', "a\r\nX-Evil: 1.pdf", "Zoë.pdf", "a;b=c.pdf", ""])
def test_the_name_of_a_file_cannot_end_its_header(filename: str) -> None:
    part = FilePart(filename, b"%PDF-1.4", "application/pdf")
    body, content_type = multipart_encode({"purpose": "dispute_evidence", "file": part})
    heads = [head.partition(b"\r\n\r\n")[0] for head in body.split(b"--" + content_type[-64:].encode())]
    assert [head.count(b"\r\n") for head in heads] == [0, 1, 2, 1]
    escaped = filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    assert f'filename="{escaped}"'.encode() in heads[2]
    assert multipart_encode({"purpose": "dispute_evidence", "file": part}) == (body, content_type)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(identifier=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_id_is_one_segment_of_the_path(identifier: str) -> None:
    """Even unchecked; checked, what a path could be made of does not get so far."""
    operation = CONTRACT["GetDisputesDispute"]
    request = encode(operation, {"dispute": identifier})
    assert request.path.startswith("/v1/disputes/")
    segment = request.path.removeprefix("/v1/disputes/")
    assert not {"/", "?", "#", " ", "\r", "\n"} & {*segment}
    assert unquote(segment) == identifier
    try:
        Request.of(CONTRACT["GetDisputesDispute"], dispute=identifier)
    except InvalidRequestError:
        return
    assert identifier not in (".", "..")
    assert not {*"/?#%\\"} & {*identifier}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(identifier=st.text(min_size=1, max_size=30), last=text)
def test_both_http_clients_send_the_same_path(identifier: str, last: str) -> None:
    """Each of them normalises addresses in a different way."""
    try:
        one = Request.of(CONTRACT["GetDisputesDispute"], dispute=identifier, expand=["charge"])
        many = Request.of(CONTRACT["GetDisputes"], starting_after=last, limit=100.0)
    except InvalidRequestError:
        assume(False)
    for request in (one, many):
        plain = urlsplit(str(PlainRequest("GET", f"http://127.0.0.1{request.path}").prepare().url))
        asked = yarl.URL(f"http://127.0.0.1{request.path}")
        assert unquote(plain.path) == unquote(asked.raw_path) == unquote(request.path.partition("?")[0])
        ours = parse_qsl(request.path.partition("?")[2], keep_blank_values=True)
        for query in (plain.query, asked.raw_query_string):
            assert parse_qsl(query, keep_blank_values=True) == ours
    assert ("limit", "100") in ours


def test_lists_are_joined_with_commas() -> None:
    request = Request.of(
        load("moov")["listDisputes"], accountID=MOOV_ACCOUNT, disputeIDs=[CASE_ID, MOOV_ACCOUNT]
    )
    assert request.path.endswith(f"?disputeIDs={quote_plus(f'{CASE_ID},{MOOV_ACCOUNT}')}")


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("form", "a=1&a=x+y&b=true&n=2"),
        ("comma", "a=1%2Cx+y&b=true&n=2"),
        ("deepObject", "a[0]=1&a[1]=x+y&b=true&n=2"),
    ],
)
def test_the_style_of_a_query_parameter(style: str, expected: str) -> None:
    values = {"a": [1, "x y"], "b": True, "n": 2.0}
    assert query_string(json.dumps([[style, name, value] for name, value in values.items()])) == expected


def test_an_object_in_a_query_has_brackets() -> None:
    assert query_string(json.dumps([["deepObject", "created", {"gte": 1}]])) == "created[gte]=1"


def test_omitted_arguments_are_not_sent() -> None:
    request = Request.of(CONTRACT["PostDisputesDispute"], dispute="dp_1", evidence=None, submit=None)
    assert request.body == b""
    assert (
        Request.of(load("moov")["submitDisputeEvidence"], accountID=MOOV_ACCOUNT, disputeID=CASE_ID).body
        is None
    )
