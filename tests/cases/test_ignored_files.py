"""Files in a case root that look like cases: listed by the sweep, and no reason for it to fail."""

from __future__ import annotations

from pathlib import Path

import disputes
import pytest

from dispute_provider._cases.known_cases import KnownCases
from dispute_provider._cases.open_disputes import OpenCases, read_cases
from dispute_provider._workflow.listing import without_case

GOOD = "provider: stripe\ndispute: du_open\nevidence: {customer_name: Jane}\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(tmp_path))
    return tmp_path


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def sweep() -> OpenCases:
    return read_cases("stripe", {"du_open": disputes.snapshot("du_open").dispute}, None, KnownCases({}))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "docker-compose.yml",
            "services: {web: {image: nginx}}",
            "names no open dispute: line 1, /services: is no field of a case",
        ),
        ("notes.yaml", "- call the customer", "names no open dispute: /: is a list"),
        (
            "order 5/case.yaml",
            "provider: stripe\ndispute: [",
            "names no open dispute: /: line 2 is not valid YAML",
        ),
        (
            "du_closed/case.yaml",
            "provider: stripe\ndispute: du_closed\nevidence: {recipt: x}",
            "did you mean receipt?",
        ),
        ("moov.yaml", "provider: moov\ndispute: d-1\nevidence: {cover-letter: 5}", "put it in quotes"),
        (".git/case.yaml", GOOD, "it is hidden"),
        (".case.yaml", GOOD, "it is hidden"),
        ("case.yaml.txt", GOOD, "its name ends in .txt; rename it to case.yaml"),
        ("du_open/case.yaml.txt", GOOD, "its name ends in .txt; rename it to case.yaml"),
        ("stripe/du_open/case.json.bak", GOOD, "its name ends in .bak"),
        ("stripe/du_open/case.yaml~", GOOD, "its name ends in ~; rename it to case.yaml"),
        ("stripe/du_open/#case.yaml#", GOOD, "its name ends in #; rename it to case.yaml"),
        ("stripe/du_open/case.yaml ", GOOD, "its name ends in a space; rename it to case.yaml"),
        ("stripe/du_open/case.txt", GOOD, "its name is not case.yaml or case.json; rename it"),
        ("stripe/du_open/case", GOOD, "its name is not case.yaml or case.json; rename it"),
        ("stripe/du_open/cases.jsonl", GOOD, "sweeps read one case from a file"),
        ("cases.jsonl", GOOD, "sweeps read one case from a file"),
        ("stripe/2026-11/du_open/case.yaml", GOOD, "folders of dates are not searched"),
        ("stripe/2026/du_open/case.yaml", GOOD, "folders of dates are not searched"),
        ("Stripe/du_open/case.yaml", GOOD, "the folder of this API is stripe; rename it"),
        ("2026-11/du_open/case.yaml", GOOD, "folders in it are not searched; move them to the case root"),
        ("stripe/du_open/2026/case.yaml", GOOD, "folders in it are not searched; move them to the case root"),
        ("stripe/du_open.yaml", GOOD, "move it to one, as case.yaml"),
        ("stripe/.case.yaml", GOOD, "it is hidden"),
        ("stripe/case.yaml.txt", GOOD, "its name ends in .txt"),
        ("stripe/du_open/du_open.yaml", GOOD, "its name is not case.yaml or case.json; rename it"),
        ("order 5/evidence.json", GOOD, "its name is not case.yaml or case.json; rename it"),
        ("stripe/DU_open/case.yaml", GOOD, "this dispute's folder is stripe/du_open; move it there"),
        ("moov/du_open/case.yaml", GOOD, "this dispute's folder is stripe/du_open; move it there"),
    ],
)
def test_a_file_that_is_no_case_of_an_open_dispute_is_listed(name, content, said, root: Path) -> None:
    write(root / name, content)
    found = sweep()
    assert (found.found, found.refused) == ([], [])
    [ignored] = found.ignored
    assert said in ignored.reason
    assert name.split("/")[0] in ignored.path


@pytest.mark.parametrize("place", ["stripe/du_open", "order 5"])
def test_what_looks_like_a_second_case_is_listed_beside_the_first(place, root: Path) -> None:
    write(root / place / "case.yaml", GOOD)
    others = ["case (1).yaml", "Case-old.JSON", "old/case.yaml", "scans/2026/november/Case.YML"]
    for name in [*others, "export.json", "scans/data.yaml"]:
        write(root / place / name, GOOD)
    found = sweep()
    assert [each.dispute.id for each in found.found] == ["du_open"]
    assert sorted(each.path.partition(f"{place}/")[2] for each in found.ignored) == sorted(others)
    assert {each.reason.partition(";")[2] for each in found.ignored} == {
        " remove one of the two",
        " move it to the case root, or remove it",
    }


@pytest.mark.parametrize(
    ("link", "to", "listed"),
    [
        ("stripe/du_open/loop", "stripe/du_open", []),
        ("stripe/du_open/up", "", []),
        ("stripe/loop", "stripe", []),
        ("loop", "", ["it is a link to a folder that it lies in; remove it"]),
    ],
)
def test_a_circle_of_folders_is_not_entered(link, to, listed, root: Path) -> None:
    write(root / "stripe/du_open/case.yaml", GOOD)
    write(root / "note/case.yaml", GOOD.replace("du_open", "du_other"))
    (root / link).symlink_to(root / to)
    found = sweep()
    assert [each.dispute.id for each in found.found] == ["du_open"]
    assert [each.reason for each in found.ignored] == listed


@pytest.mark.parametrize("place", ["stripe/du_open", "order 5"])
@pytest.mark.parametrize(
    "name", ["case.yaml~", ".case.yaml.swp", "#case.yaml#", "case.yml.orig", "case-2.json"]
)
def test_what_an_editor_leaves_beside_a_case_is_not_to_be_renamed(place, name, root: Path) -> None:
    write(root / place / "case.yaml", GOOD)
    write(root / place / name, GOOD)
    write(root / place / "export.jsonl", GOOD)
    found = sweep()
    assert [each.dispute.id for each in found.found] == ["du_open"]
    assert [each.reason for each in found.ignored] == ["the case beside it is read; remove one of the two"]


@pytest.mark.parametrize("named", ["DU_open", "'du_open\u200b'", "“du_open”", "CH_1", "ch_1"])
def test_a_case_that_names_its_dispute_in_another_way_is_listed_in_each_sweep(named, root: Path) -> None:
    write(root / "order 5/case.yaml", GOOD.replace("du_open", named))
    dispute = disputes.snapshot("du_open", charge="ch_1").dispute
    known = KnownCases({})
    for _ in range(2):
        found = read_cases("stripe", {"du_open": dispute}, None, known)
        [ignored] = found.ignored
        assert ignored.reason.endswith("did you mean the dispute du_open?")
        known = KnownCases(known.used)


@pytest.mark.parametrize("name", ["case.yaml", "order 5/case.yaml", "stripe/du_open/case.yaml"])
@pytest.mark.parametrize(
    "content",
    [
        GOOD.replace("customer_name", "recipt"),
        "provider: stripe\ndispute: du_open\nevidence: [",
        GOOD.encode("utf-16").decode("latin-1") + "x",
    ],
)
def test_a_refused_case_that_names_an_open_dispute_is_reported(name, content, root: Path) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(content.encode("latin-1"))
    found = sweep()
    assert [Path(path).name for path in found.refused] == ["case.yaml"]
    assert found.ignored == []


def test_a_refused_case_at_an_address_is_reported_even_if_it_names_no_dispute(root: Path) -> None:
    write(root / "stripe/du_open/case.yaml", "evidence: {}")
    assert len(sweep().refused) == 1


@pytest.mark.parametrize("name", ["Case.yaml", "case.YAML", "CASE.Yml", "Case.JSON"])
@pytest.mark.parametrize("folder", ["order 5", "stripe", "stripe/du_open"])
def test_the_case_of_letters_in_a_name_does_not_matter(name, folder, root: Path) -> None:
    json = '{"provider": "stripe", "dispute": "du_open", "evidence": {"customer_name": "Jane"}}'
    write(root / folder / name, json)
    assert [each.dispute.id for each in sweep().found] == ["du_open"]


@pytest.mark.parametrize("place", ["stripe/du_open", "order 5"])
@pytest.mark.parametrize("evidence", ["{recipt: x}", "{receipt: {file: gone.pdf}}"])
def test_a_dispute_with_a_refused_case_is_not_said_to_have_none(place, evidence, root: Path) -> None:
    write(root / place / "case.yaml", f"provider: stripe\ndispute: du_open\nevidence: {evidence}")
    [record] = without_case([disputes.snapshot("du_open").dispute], sweep(), "stripe_default")
    assert record.reason == "its case cannot be used; the task stage says why"


def test_a_refused_case_of_another_dispute_takes_no_case_from_the_one_it_mentions(root: Path) -> None:
    write(root / "order 5/case.yaml", "dispute: du_closed\nevidence: {recipt: unlike du_open}")
    [record] = without_case([disputes.snapshot("du_open").dispute], sweep(), "stripe_default")
    assert record.reason == "no case was found for it"
