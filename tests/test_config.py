"""The options of ``[dispute]`` that the package reads match those that Airflow documents."""

from __future__ import annotations

import pytest
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowConfigException
from airflow.secrets.base_secrets import BaseSecretsBackend

from dispute_provider import _config as config


@pytest.mark.parametrize("option", config.OPTIONS, ids=lambda option: option.name)
def test_airflow_has_the_same_default(option: config.Option, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(f"AIRFLOW__DISPUTE__{option.name.upper()}", raising=False)
    assert conf.get("dispute", option.name) == option.default


def test_an_option_is_read_anew_by_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DISPUTE__REVIEWERS", " ana, 7:ben,,")
    assert config.reviewers() == ["ana", "7:ben"]
    monkeypatch.setenv("AIRFLOW__DISPUTE__REVIEWERS", "")
    assert config.reviewers() == []


def test_a_list_may_have_an_entry_on_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DISPUTE__CONNECTIONS", "\nstripe_default\nmoov_default dispute_sweep,\r\n")
    assert config.connections() == {"stripe_default": [], "moov_default": ["dispute_sweep"]}
    assert config.connections_of("dispute_sweep") == ["stripe_default", "moov_default"]
    monkeypatch.setenv("AIRFLOW__DISPUTE__PEOPLE", "ana@example.com:ana\nBen Jones:7")
    assert config.people() == [("ana@example.com", "ana"), ("Ben Jones", "7")]
    monkeypatch.setenv("AIRFLOW__DISPUTE__SIGNING_KEY", f"{'a' * 32}\n{'b' * 32}\n")
    assert config.signing_key() == ["a" * 32, "b" * 32]


def test_connections_without_commas_are_said_to_leave_the_sweep_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW__DISPUTE__CONNECTIONS", "stripe_default moov_default")
    assert config.connections_of("dispute_sweep") == []
    assert "stripe_default name other DAGs than dispute_sweep, which does nothing" in caplog.text
    caplog.clear()
    assert config.connections_of("stripe_request") == []
    assert not caplog.text


def test_an_invalid_number_of_hours_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__DISPUTE__REMINDERS", raising=False)
    assert config.reminders() == [72, 24, 8]
    monkeypatch.setenv("AIRFLOW__DISPUTE__REMINDERS", "48, soon, -1, nan, 1e9, 0.5")
    assert config.reminders() == [48, 0.5]


def test_a_flag_is_true_or_false(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DISPUTE__SWITCH_TO_MANUAL", "true")
    assert config.switch_to_manual() is True
    monkeypatch.setenv("AIRFLOW__DISPUTE__SWITCH_TO_MANUAL", "perhaps")
    with pytest.raises(AirflowConfigException, match="switch_to_manual"):
        config.switch_to_manual()


def test_connections_belong_to_the_dags_that_they_name(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = " a, b b_request  eu_dispute_evidence,c dispute_sweep eu_sweep,a other,"
    monkeypatch.setenv("AIRFLOW__DISPUTE__CONNECTIONS", entries)
    monkeypatch.setenv("AIRFLOW__DISPUTE__SWEEP_CONNECTIONS", "former")
    assert config.connections_of("dispute_sweep") == config.sweep_connections() == ["a", "c"]
    assert config.connections_of("eu_sweep") == ["a", "c"]
    assert config.connections_of("b_request") == ["a", "b"]
    assert config.case_dag("a", "stripe") == config.case_dag("unknown", "stripe") == "stripe_dispute_evidence"
    assert config.case_dag("b", "stripe") == "eu_dispute_evidence"
    assert config.case_dag("c", "stripe") is None


def test_the_former_options_work_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert config.connections_of("dispute_sweep") == []
    assert config.connections_of("moov_request") == ["moov_default"]
    assert not caplog.messages
    monkeypatch.setenv("AIRFLOW__DISPUTE__SWEEP_CONNECTIONS", "a,stripe_default,a")
    assert config.connections_of("dispute_sweep") == ["a", "stripe_default"]
    assert config.connections_of("moov_request") == ["a", "stripe_default", "moov_default"]
    monkeypatch.setenv("AIRFLOW__DISPUTE__REQUEST_CONNECTIONS", "b")
    assert config.connections_of("moov_request") == ["b"]
    assert {message.partition(":")[0] for message in caplog.messages} == {
        "[dispute] sweep_connections works until 0.2.0",
        "[dispute] request_connections works until 0.2.0",
    }


class Vault(BaseSecretsBackend):
    """A secrets backend with one option."""

    def get_config(self, key: str) -> str | None:
        return {"disputes/key": "from the vault"}.get(key)


def test_the_signing_key_comes_from_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DISPUTE__SIGNING_KEY_CMD", "printf new,old")
    assert config.signing_key() == ["new", "old"]


def test_the_signing_key_comes_from_a_secrets_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", f"{__name__}.Vault")
    monkeypatch.setenv("AIRFLOW__DISPUTE__SIGNING_KEY_SECRET", "disputes/key")
    assert config.signing_key() == ["from the vault"]


def test_the_signing_key_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DISPUTE__SIGNING_KEY", "not for everybody")
    shown = conf.as_dict(display_sensitive=False, raw=False)["dispute"]
    assert shown["signing_key"] == "< hidden >"
