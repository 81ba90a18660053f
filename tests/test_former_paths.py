"""Former module paths lead to the same objects for one version, and warn with the public path."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

import dispute_provider
from dispute_provider import _former_paths

FORMER_DAGS = Path(__file__).parent / "former_dags"
PAGE = (Path(__file__).parents[1] / "docs" / "upgrading.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("former", "public"),
    [
        ("cases.form.FormCase", "FormCase"),
        ("cases.form.form_params", "form_params"),
        ("contracts.contract.Operation", "Operation"),
        ("contracts.contract.load", "load_contract"),
        ("evidence.policy.ApprovalPolicy", "ApprovalPolicy"),
        ("evidence.record.Approval", "Approval"),
        ("evidence.record.Record", "Record"),
        ("evidence.record.State", "State"),
        ("explain.forms.case_params", "case_params"),
        ("explain.reference.reference", "operation_reference"),
        ("operators.form_case.FormCase", "FormCase"),
        ("operators.form_case.form_params", "form_params"),
        ("operators.people.ConfiguredNotifier", "ConfiguredNotifier"),
        ("operators.people.reviewers", "reviewers"),
        ("operators.record_lists.records_of", "records_of"),
        ("operators.report_outcome.ReportOutcomeOperator", "ReportOutcomeOperator"),
        ("operators.retry.ApiRetryPolicy", "ApiRetryPolicy"),
        ("operators.review_evidence.ReviewEvidenceOperator", "ReviewEvidenceOperator"),
        ("operators.stage_evidence.StageEvidenceOperator", "StageEvidenceOperator"),
        ("operators.submit_evidence.SubmitEvidenceOperator", "SubmitEvidenceOperator"),
        ("registry.APIS", "APIS"),
        ("sandbox.accounts.STRIPE_KEY", "sandbox.STRIPE_KEY"),
        ("sandbox.server.Sandbox", "sandbox.Sandbox"),
        ("tasks.notifications.ConfiguredNotifier", "ConfiguredNotifier"),
        ("tasks.notifications.reviewers", "reviewers"),
        ("tasks.record_lists.records_of", "records_of"),
        ("contract.load", "load_contract"),
        ("forms.case_params", "case_params"),
        ("reference.reference", "operation_reference"),
    ],
)
def test_a_former_path_names_the_public_one(former: str, public: str) -> None:
    found = dispute_provider
    for name in public.split("."):
        found = getattr(found, name)
    module, _, name = former.rpartition(".")
    with pytest.warns(DeprecationWarning, match=rf"use dispute_provider\.{public}$"):
        assert getattr(import_module(f"dispute_provider.{module}"), name) is found
    assert f"`{former}`" in PAGE, "docs/upgrading.md leaves it out"
    assert f"`{public}`" in PAGE


@pytest.mark.parametrize(
    "former",
    [
        "evidence.completeness.assess",
        "explain.wording.GENERIC",
        "hooks.base.DisputeHook",
        "ledger.chain.Chain",
        "operators.api.ApiOperator",
        "operators.case_files.find_cases",
        "operators.links.DisputeLink",
        "workflow.sending.decisions.STEPS",
    ],
)
def test_a_former_path_without_a_public_successor_works_too(former: str) -> None:
    module, _, name = former.rpartition(".")
    present = _former_paths.present_path(f"dispute_provider.{module}")
    assert present
    with pytest.warns(DeprecationWarning, match="private now"):
        found = getattr(import_module(f"dispute_provider.{module}"), name)
    assert found is getattr(import_module(present), name)


def test_every_former_module_is_there() -> None:
    for former in _former_paths.MOVED:
        present = _former_paths.present_path(f"dispute_provider.{former}")
        assert present
        import_module(f"dispute_provider.{former}")
        import_module(present)


def test_what_never_was_a_module_is_none() -> None:
    with pytest.raises(ModuleNotFoundError):
        import_module("dispute_provider.evidence.nonsense")
    with pytest.raises(AttributeError, match=r"evidence\.policy' has no attribute 'Nonsense'"):
        import_module("dispute_provider.evidence.policy").Nonsense  # noqa: B018


def test_a_submodule_can_be_imported_from_its_former_package() -> None:
    from dispute_provider.contracts import contract

    with pytest.warns(DeprecationWarning, match="load_contract"):
        found = contract.load
    assert found is dispute_provider.load_contract


def test_the_options_may_be_imported_as_a_module() -> None:
    assert import_module("dispute_provider.config") is dispute_provider.config


@pytest.mark.parametrize("file", sorted(path.name for path in FORMER_DAGS.glob("*.py")))
def test_a_dag_file_of_the_former_paths_loads(file: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        bag = DagBag(dag_folder=str(FORMER_DAGS / file), bundle_name="dags-folder")
    assert bag.import_errors == {}
    assert bag.dags
