"""The built wheel in a separate environment: its contents, and what Airflow finds in it."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.compat.rows import TESTS
from tests.compat.wheel import build_wheel

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path, **environment: str) -> None:
    """Run a command, without the Airflow options of other tests in this process."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a virtual environment with the wheel, and with this environment's other packages."""
    work = tmp_path_factory.mktemp("wheel")
    built = build_wheel(work)
    venv.create(work / "venv", symlinks=True)
    libraries = Path(sysconfig.get_path("purelib", vars={"base": str(work / "venv")}))
    with zipfile.ZipFile(built) as wheel:
        wheel.extractall(libraries)
    (libraries / "lock.pth").write_text(sysconfig.get_path("purelib"))
    return work


@pytest.fixture(scope="module")
def found(environment: Path) -> dict[str, Any]:
    run(
        environment / "venv" / "bin" / "python",
        ROOT / "tests" / "wheel_probe.py",
        environment / "found.json",
        cwd=environment,
        AIRFLOW_HOME=str(environment / "airflow"),
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS="True",
        AIRFLOW__API_AUTH__JWT_SECRET="a secret of this test, which is long enough to sign with SHA-512 !",
    )
    contents: dict[str, Any] = json.loads((environment / "found.json").read_text())
    return contents


def test_the_wheel_is_imported(environment: Path, found: dict[str, Any]) -> None:
    assert Path(found["package"]).is_relative_to(environment / "venv")


def test_the_wheel_has_every_module_schema_and_dag_and_nothing_else(found: dict[str, Any]) -> None:
    expected = {
        f"{target}/{path.relative_to(ROOT / folder)}"
        for folder, target in (
            ("dispute_provider", "dispute_provider"),
            ("schemas", "dispute_provider/schemas"),
            ("dags", "dispute_provider/example_dags"),
        )
        for pattern in ("*.py", "*.json", "py.typed", "static/*", "templates/*", "fonts/*")
        for path in (ROOT / folder).rglob(pattern)
    }
    held = {file for file in found["files"] if ".dist-info/" not in file}
    assert held == expected
    assert {"dispute_provider/py.typed", "dispute_provider/schemas/case.schema.json"} <= held
    assert "dispute_provider-0.1.0.dist-info/licenses/LICENSE" in found["files"]


def imported_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def test_every_imported_library_is_a_requirement(found: dict[str, Any]) -> None:
    imported = {
        name.partition(".")[0]
        for path in (ROOT / "dispute_provider").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in imported_names(node)
    }
    foreign = imported - {*sys.stdlib_module_names, "dispute_provider", "airflow"}
    assert all(find_spec(name) for name in foreign)
    named = {Requirement(text).name for text in found["requires"]}
    names = {"yaml": "pyyaml", "PIL": "pillow", "jsonschema_rs": "jsonschema-rs", "pi_heif": "pi-heif"}
    assert {names.get(name, name) for name in foreign} <= named


def always_installed(found: dict[str, Any]) -> list[Requirement]:
    """Return the requirements of the wheel without those of its extras."""
    requirements = map(Requirement, found["requires"])
    return [each for each in requirements if each.marker is None or each.marker.evaluate({"extra": ""})]


def pinned(name: str) -> dict[str, Version]:
    """Return the versions that a file of ``tests/compat/constraints`` pins."""
    text = (ROOT / "tests" / "compat" / "constraints" / f"{name}.txt").read_text("utf-8")
    pins = re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)
    return {canonicalize_name(library): Version(version) for library, version in pins}


@pytest.mark.parametrize("release", ["3.3.0", "3.3.1", "3.3.2"])
def test_the_constraints_of_airflow_s_releases_satisfy_the_requirements(
    release: str, found: dict[str, Any]
) -> None:
    pins = pinned(release)
    refused = [
        str(each)
        for each in always_installed(found)
        if pins[canonicalize_name(each.name)] not in each.specifier
    ]
    assert refused == []


def test_every_lower_bound_is_the_release_that_the_lowest_row_tests(found: dict[str, Any]) -> None:
    pins = pinned("lowest")
    for requirement in always_installed(found):
        [bound] = [each.version for each in requirement.specifier if each.operator == ">="]
        assert pins[canonicalize_name(requirement.name)] == Version(bound), requirement.name


def test_airflow_finds_the_provider_and_its_metadata_is_valid(found: dict[str, Any]) -> None:
    assert found["version"] == "0.1.0"
    assert found["hooks"] == {
        "stripe": "dispute_provider.hooks.stripe.StripeHook",
        "moov": "dispute_provider.hooks.moov.MoovHook",
    }
    assert "dispute_provider._tasks.links.DisputeLink" in found["links"]
    assert "dispute_provider.ConfiguredNotifier" in found["notifiers"]
    public = {
        file.removesuffix(".py").replace("/", ".")
        for file in found["files"]
        if re.fullmatch(r"dispute_provider/operators/[a-z]\w*\.py", file)
    }
    assert {name for each in found["provider"]["operators"] for name in each["python-modules"]} == public
    airflow = find_spec("airflow")
    assert airflow is not None
    [folder] = airflow.submodule_search_locations or []
    runtime = json.loads((Path(folder) / "provider_info.schema.json").read_text("utf-8"))
    strict = json.loads((Path(folder) / "provider.yaml.schema.json").read_text("utf-8"))
    Draft202012Validator(runtime).validate(found["provider"])
    # The schema of Airflow's own providers is stricter; fields in both schemas must be valid there too.
    known = {name: schema for name, schema in strict["properties"].items() if name in found["provider"]}
    Draft202012Validator({"properties": known, "definitions": strict["definitions"]}).validate(
        {name: value for name, value in found["provider"].items() if value is not None}
    )


def field(label: str, kind: str = "string", *choices: str, default: str | None = None) -> dict[str, Any]:
    """Return an extra field as the form receives it, without its description."""
    schema: dict[str, Any] = {"type": [kind, "null"], "title": label}
    if choices:
        schema |= {"enum": [*choices], "default": default}
    return {"value": default, "schema": schema, "source": None}


HIDDEN = {"hidden": True, "title": None, "placeholder": None}


def shown(title: str, placeholder: str | None = None) -> dict[str, Any]:
    return {"hidden": False, "title": title, "placeholder": placeholder}


NETWORK = {
    "proxy": {
        **field("Proxy"),
        "schema": {"type": ["string", "null"], "format": "password", "title": "Proxy"},
    },
    "ca_bundle": field("Certificate authorities"),
    "client_cert": field("Client certificate"),
}
FORMS: dict[str, dict[str, Any]] = {
    "stripe": {
        "hook_name": "Stripe",
        "standard_fields": {
            "description": None,
            "url_schema": HIDDEN,
            "host": shown("Stand-in host", "leave blank for Stripe itself"),
            "port": shown("Stand-in port", "0, or Test fails in Airflow 3.3.2"),
            "login": HIDDEN,
            "password": shown("Secret or restricted key", "sk_test_… or rk_test_…"),
        },
        "extra_fields": {
            "mode": field("Mode", "string", "test", "live", default="test"),
            "account": field("Connected account"),
            "context": field("Context"),
            "api_version": field("API version"),
            "rate_limit": field("Requests per second", "number"),
            **NETWORK,
        },
    },
    "moov": {
        "hook_name": "Moov",
        "standard_fields": {
            "description": None,
            "url_schema": HIDDEN,
            "host": shown("Stand-in host", "leave blank for Moov itself"),
            "port": shown("Stand-in port", "0, or Test fails in Airflow 3.3.2"),
            "login": shown("Public key"),
            "password": shown("Secret key"),
        },
        "extra_fields": {
            "account": field("Account"),
            "mode": field("Mode", "string", "sandbox", "production", default="sandbox"),
            "auth": field("Authentication", "string", "basic", "oauth2", default="basic"),
            "api_version": field("API version"),
            "origin": field("Origin"),
            "rate_limit": field("Requests per second", "number"),
            **NETWORK,
        },
    },
}


@pytest.mark.parametrize("kind", sorted(FORMS))
def test_the_form_of_a_connection_has_these_fields(kind: str, found: dict[str, Any]) -> None:
    form = found["forms"][kind]
    for name, extra in form["extra_fields"].items():
        assert extra.pop("description"), name
    assert {name: form[name] for name in FORMS[kind]} == FORMS[kind]


def test_the_example_dags_are_loaded_from_the_wheel(found: dict[str, Any]) -> None:
    assert found["import_errors"] == {}
    assert {"dispute_review", "dispute_sweep", "stripe_dispute_evidence", "moov_dispute_evidence"} <= {
        *found["dags"]
    }


@pytest.mark.parametrize("path", TESTS)
def test_the_paths_tested_with_each_release_exist(path: str) -> None:
    assert (ROOT / path).exists()
