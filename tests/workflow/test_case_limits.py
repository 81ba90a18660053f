"""Cases around every limit: refused before any call is made, or accepted by the strict sandbox too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import papers
import pytest
import steps
from drivers import SyncDriver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import Connect

from dispute_provider._cases.documents import read_documents
from dispute_provider._documents import Renderer
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.record import Record, State
from dispute_provider.exceptions import InvalidCaseError
from dispute_provider.sandbox import MOOV_ACCOUNT, Sandbox

STRIPE_FILES = (
    "receipt",
    "customer_signature",
    "refund_policy",
    "service_documentation",
    "uncategorized_file",
)
LONG_TEXTS = (
    "access_activity_log",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "duplicate_charge_explanation",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "uncategorized_text",
)
SHORT_TEXTS = ("billing_address", "customer_name", "service_date", "shipping_tracking_number")
MOOV_NAMES = ("receipt", "proof-of-delivery", "cover-letter", "other")
TYPES = {"stripe": {"pdf", "jpeg", "png"}, "moov": {"pdf", "jpeg", "tiff"}}
# Documents by what they hold, small as they come.
KINDS = {
    "pdf": papers.pdf(),
    "jpeg": papers.jpeg(),
    "png": papers.png(),
    "tiff": papers.tiff(),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "zip": papers.archive(),
    "gif": papers.picture("GIF", "P"),
    "nothing": b"",
    "pdf-zip": papers.pdf() + papers.archive(),
}
around_the_limit = st.sampled_from((-1, 0, 1))


@dataclass
class Offer:
    """A case with its documents, and whether it keeps to the API's limits as this test understands them."""

    api: str
    evidence: dict[str, Any]
    fits: bool
    files: Mapping[str, bytes] = field(default_factory=dict)
    network: str = "visa"


class Desk:
    """Takes offers as the workflow does: look through the case, then stage it."""

    def __init__(self, folder: Path, sandbox: Sandbox, renderer: Renderer) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.renderer = renderer
        self.driver = SyncDriver()

    def check(self, offer: Offer) -> None:
        extra = {"brand": offer.network} if offer.api == "stripe" else {}
        dispute = self.sandbox.create_dispute(api=offer.api, **extra)["id"]
        for name, content in offer.files.items():
            (self.folder / name).write_bytes(content)
        refusal = self._take(offer, dispute)
        calls = [call for call in self.sandbox.journal() if call["method"] != "GET"]
        self.sandbox.reset()
        assert (refusal is None) == offer.fits, refusal
        if refusal is None:
            assert calls
            assert all(call["status"] < 300 for call in calls)
        else:
            assert not calls

    def _take(self, offer: Offer, dispute: str) -> str | None:
        """Why it was refused; None if it was not."""
        data = {"provider": offer.api, "dispute": dispute, "evidence": offer.evidence}
        try:
            case = Case.parse(data, folder=str(self.folder))
            documents = read_documents(case, self.renderer)
        except InvalidCaseError as error:
            return str(error)
        record = Record(offer.api, f"{offer.api}_default", dispute, State.REFUSED, "")
        [staged] = self.driver.run(offer.api, lambda api: steps.stage(api, case, documents.found, record))
        return None if staged.state == State.STAGED else staged.reason


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer() as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, sandbox: Sandbox, connect: Connect, renderer: Renderer) -> Desk:
    connect("stripe", extra={"rate_limit": 1000})
    connect("moov", extra={"account": MOOV_ACCOUNT, "rate_limit": 1000})
    return Desk(tmp_path, sandbox, renderer)


def tried(examples: int) -> Any:
    """The desk is as good as new after each example."""
    healthy = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, deadline=None, suppress_health_check=healthy)


def of_size(kind: str, size: int, pages: int = 1) -> bytes:
    match kind:
        case "pdf":
            return papers.pdf(pages, size=size)
        case "jpeg":
            return papers.jpeg(size)
        case "png":
            return papers.png(size)
        case _:
            return papers.tiff(size=size)


@st.composite
def sizes_in_all(draw: st.DrawFn) -> Offer:
    over = draw(around_the_limit)
    count = draw(st.integers(1, 4))
    parts = draw(st.lists(st.integers(9_000, 1_100_000), min_size=count - 1, max_size=count - 1))
    files = {}
    for index, size in enumerate([*parts, 4_500_000 + over - sum(parts)]):
        files[f"{index}.pdf"] = of_size(draw(st.sampled_from(sorted(TYPES["stripe"]))), size)
    evidence = {name: {"file": path} for name, path in zip(STRIPE_FILES, files, strict=False)}
    return Offer("stripe", evidence, over <= 0, files)


@st.composite
def size_of_one(draw: st.DrawFn) -> Offer:
    over, kind = draw(around_the_limit), draw(st.sampled_from(sorted(TYPES["moov"])))
    files = {"a": of_size(kind, 4_000_000 + over), "b": of_size(kind, 9_000)}
    evidence = {draw(st.sampled_from(MOOV_NAMES)): [{"file": "a"}, {"file": "b"}]}
    return Offer("moov", evidence, over <= 0, files)


@st.composite
def pages_in_all(draw: st.DrawFn) -> Offer:
    network, most = draw(st.sampled_from([("visa", 49), ("mastercard", 19), ("amex", 49)]))
    over, pictures = draw(around_the_limit), draw(st.integers(0, 2))
    first = draw(st.integers(1, most - 4))
    files = {"a.pdf": papers.pdf(first), "b.pdf": papers.pdf(most + over - first - pictures)}
    files |= {f"{index}.png": papers.png() for index in range(pictures)}
    evidence = {name: {"file": path} for name, path in zip(STRIPE_FILES, files, strict=False)}
    return Offer("stripe", evidence, over <= 0, files, network)


@st.composite
def types(draw: st.DrawFn) -> Offer:
    """Documents of any kind under names of any other."""
    api = draw(st.sampled_from(sorted(TYPES)))
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3))
    suffixes = st.sampled_from([".pdf", ".jpg", ".png", ".tiff", ".exe", "", ".PDF"])
    files = {f"{index}{draw(suffixes)}": KINDS[kind] for index, kind in enumerate(kinds)}
    names = STRIPE_FILES if api == "stripe" else MOOV_NAMES
    evidence = {name: {"file": path} for name, path in zip(names, files, strict=False)}
    return Offer(api, evidence, set(kinds) <= TYPES[api], files)


def text_of(units: int, astral: int) -> str:
    """A text of this many UTF-16 units, in which ``astral`` characters take two."""
    astral = min(astral, units // 2)
    return "\U0001f600" * astral + "x" * (units - 2 * astral)


@st.composite
def one_text(draw: st.DrawFn) -> Offer:
    api, names, most = draw(
        st.sampled_from(
            [("stripe", LONG_TEXTS, 20_000), ("stripe", SHORT_TEXTS, 5_000), ("moov", MOOV_NAMES, 750)]
        )
    )
    over, astral = draw(around_the_limit), draw(st.sampled_from((0, 1, 7, most)))
    return Offer(api, {draw(st.sampled_from(names)): text_of(most + over, astral)}, over <= 0)


@st.composite
def texts_in_all(draw: st.DrawFn) -> Offer:
    over, astral = draw(around_the_limit), draw(st.sampled_from((0, 1, 7, 99_999)))
    name, other = draw(st.sampled_from(SHORT_TEXTS)), draw(st.integers(1, 5_000))
    evidence: dict[str, Any] = {each: text_of(20_000, astral) for each in LONG_TEXTS[:-1]}
    evidence |= {LONG_TEXTS[-1]: text_of(10_000 + over - other, astral), name: text_of(other, astral)}
    files = {}
    if draw(st.booleans()):
        # A document's name is no text.
        evidence["receipt"] = {"file": "a-document-with-quite-a-name.pdf"}
        files = {"a-document-with-quite-a-name.pdf": papers.pdf()}
    return Offer("stripe", evidence, over <= 0, files)


@tried(12)
@given(sizes_in_all())
def test_the_size_of_all_documents(desk: Desk, offer: Offer) -> None:
    desk.check(offer)


@tried(12)
@given(size_of_one())
def test_the_size_of_one_document(desk: Desk, offer: Offer) -> None:
    desk.check(offer)


@tried(30)
@given(pages_in_all())
def test_the_pages_of_all_documents(desk: Desk, offer: Offer) -> None:
    desk.check(offer)


@tried(60)
@given(types())
def test_the_types_of_documents(desk: Desk, offer: Offer) -> None:
    desk.check(offer)


@tried(40)
@given(one_text())
def test_the_length_of_a_text(desk: Desk, offer: Offer) -> None:
    desk.check(offer)


@tried(25)
@given(texts_in_all())
def test_the_length_of_all_texts(desk: Desk, offer: Offer) -> None:
    desk.check(offer)
