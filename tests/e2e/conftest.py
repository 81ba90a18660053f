"""One Airflow, one sandbox and one browser for the whole session."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from demo.connections import connections
from dispute_provider.sandbox import Sandbox
from tests.e2e.person import ARTIFACTS, PATIENCE, Person
from tests.harness.lab import Lab, Run
from tests.harness.site import running

_DAGS = Path(__file__).parents[2] / "dags"
_NEEDED = (
    "stripe_dispute_evidence",
    "moov_dispute_evidence",
    "stripe_request",
    "moov_request",
    "dispute_sweep",
)
# Connections of the explorer alone.
_TESTED = ("stripe_default stripe_request", "moov_default moov_request", "moov_keys moov_request")
_CHROMIUM = "chromium"
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_FAILED = pytest.StashKey[bool]()


@contextmanager
def open_site(folder: Path, swept: Sequence[str] = ("stripe_shop",)) -> Iterator[Lab]:
    """Airflow, ready, with connections to the sandbox.

    :param swept: the connections of the sweep, by default that to the connected account.
    """
    settings = {
        "AIRFLOW__DISPUTE__CONNECTIONS": ", ".join(
            [*(each for each in _TESTED if each.split()[0] not in swept), *swept]
        ),
        "AIRFLOW__DISPUTE__SWEEP_SCHEDULE": "0 0 29 2 *",
        "AIRFLOW__DISPUTE__EVIDENCE_STORE": str(folder / "store"),
        "AIRFLOW__DISPUTE__RECEIPTS": str(folder / "receipts"),
        "AIRFLOW__API__INSTANCE_NAME": "Disputes",
    }
    with Sandbox() as sandbox, running(sandbox, folder, [_DAGS], settings, needed=_NEEDED) as lab:
        for connection in connections(sandbox.url):
            lab.admin.add("connections", connection)
        yield lab


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window, of the system: none is downloaded."""
    path = shutil.which(_CHROMIUM)
    if path is None:
        pytest.exit(f"no {_CHROMIUM} on the PATH; on Debian: apt-get install chromium", returncode=2)
    shutil.rmtree(ARTIFACTS, ignore_errors=True)
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def _site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Run]]:
    """There is no point in it without a browser."""
    with open_site(tmp_path_factory.mktemp("e2e")) as lab:
        dispute = lab.dispute("stripe", due_in=10 * 60)
        yield lab, lab.contest("stripe", dispute, "stripe_dispute_evidence")


@pytest.fixture(scope="session")
def lab(_site: tuple[Lab, Run]) -> Lab:
    """What all tests share, but the Monday, which has an Airflow of its own."""
    return _site[0]


@pytest.fixture(scope="session")
def unanswered(_site: tuple[Lab, Run]) -> Run:
    """A run whose review gets no answer and ends after five minutes."""
    return _site[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the Monday first, so that its Airflow has stopped before the others' starts."""
    items.sort(key=lambda item: item.path.stem != "test_monday")


@pytest.fixture(scope="session")
def people(browser: Browser, lab: Lab) -> Iterator[Callable[[str], Person]]:
    """Airflow's users, each logged in once."""
    known: dict[str, Person] = {}

    def find(name: str) -> Person:
        if name not in known:
            known[name] = Person(browser, lab.airflow.url, name, lab.airflow.passwords.get(name, ""))
        return known[name]

    yield find
    for one in known.values():
        one.leave()


@pytest.fixture
def person(
    people: Callable[[str], Person], request: pytest.FixtureRequest
) -> Iterator[Callable[..., Person]]:
    """Has a user open a new window; without a name, a visitor who is not logged in.

    Of a test that fails, a picture is kept of what each of them saw.
    """
    present: list[Person] = []

    def enter(name: str = "") -> Person:
        present.append(people(name))
        present[-1].open_window()
        return present[-1]

    yield enter
    if request.node.stash.get(_FAILED, False):
        for one in present:
            one.shoot(f"failed-{request.node.name}-{one.name}")
    assert not [url for one in present for url in one.strayed]


@pytest.fixture
def ana(person: Callable[..., Person]) -> Person:
    """Reviews."""
    return person("ana")


@pytest.fixture
def admin(person: Callable[..., Person]) -> Person:
    return person("admin")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report
