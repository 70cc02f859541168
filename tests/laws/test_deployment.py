"""What docker-compose.yml, the Dockerfile and the README name exists in the code."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask

from catalogue.config import ROOT, Config

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "portal"}
KEY = "0123456789abcdef" * 4


class Recorder(dict[str, str]):
    """An environment that remembers which names the settings ask for."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


@pytest.fixture
def settings(tmp_path: Path) -> set[str]:
    """Every variable that the code reads."""
    environment = Recorder({"PORTAL_VAR": str(tmp_path)})
    Config.from_env(environment)
    return environment.asked


def words(command: list[str] | str) -> list[str]:
    return command.split() if isinstance(command, str) else command


def test_the_shape_is_whole() -> None:
    assert set(SERVICES) == {"postgres", "redis", "migrate", "web", "worker", "beat"}
    assert SERVICES["postgres"]["image"] == "postgres:18"
    assert "--appendonly" in SERVICES["redis"]["command"]
    for name in SERVICES.keys() - {"migrate"}:
        assert "healthcheck" in SERVICES[name], name


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(name: str, settings: set[str]) -> None:
    assert set(OURS[name]["environment"]) <= settings


def test_image_variables_are_settings(settings: set[str]) -> None:
    text = (ROOT / "Dockerfile").read_text()
    block = re.search(r"^ENV (.*?)(?<!\\)$", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    named = set(re.findall(r"(\w+)=", block[1]))
    assert named - {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"} <= settings


def test_the_composed_environment_starts_production(tmp_path: Path) -> None:
    certificate = tmp_path / "signing"
    certificate.touch()
    given = {"BASE_URL": "https://catalogue.example", "SIGNING_PASSPHRASE": "of its own"}
    environment = {
        name: re.sub(
            r"\$\{(\w+)(?::-(\w+)|:\?[^}]*)\}",
            lambda match: given.get(match[1], match[2] or KEY),
            str(value),
        )
        for name, value in OURS["web"]["environment"].items()
    }
    environment |= {"SIGNING_PKCS12": str(certificate), "PORTAL_VAR": str(tmp_path)}
    assert Config.from_env(environment).production


@pytest.mark.parametrize("name", OURS)
def test_every_command_exists(name: str, app: Flask) -> None:
    command = words(OURS[name]["command"])
    assert command[:2] == ["python", "-m"]
    module, arguments = command[2], command[3:]
    assert importlib.util.find_spec(module) is not None
    for target in re.findall(r"wsgi:\w+", " ".join(arguments)):
        assert re.search(rf"^{target.removeprefix('wsgi:')} = ", wsgi_source(), re.MULTILINE), (
            target
        )
    if module == "flask":
        group, sub = arguments[2:4]
        assert sub in app.cli.commands[group].commands  # type: ignore[attr-defined]


def wsgi_source() -> str:
    return (ROOT / "wsgi.py").read_text()


def test_options_are_known_to_their_programs() -> None:
    from celery.bin.beat import beat
    from celery.bin.worker import worker
    from granian.cli import cli

    programs = {"web": cli, "worker": worker, "beat": beat}
    for name, program in programs.items():
        known = {option for one in program.params for option in [*one.opts, *one.secondary_opts]}
        used = {word for word in words(OURS[name]["command"])[3:] if word.startswith("--")}
        assert used <= known, name


def test_the_image_starts_as_the_web_service_does() -> None:
    command = re.search(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert command is not None
    assert yaml.safe_load(command[1]) == SERVICES["web"]["command"]


def test_health_paths_are_routes(app: Flask) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    paths = set(re.findall(r"http://[\w.]+:8000(/\w+)", text))
    assert paths == {"/healthz", "/readyz"}
    assert paths <= {rule.rule for rule in app.url_map.iter_rules()}


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for name, rest in re.findall(r"\$\{(\w+)(.*?)\}", text):
        if name != "PROXY_HOPS":
            assert rest.startswith(":?"), name


@pytest.mark.parametrize("name", OURS)
def test_ours_run_without_privileges(name: str) -> None:
    service = OURS[name]
    assert not str(service["user"]).startswith(("0", "root"))
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]


def test_the_image_holds_what_it_copies_and_no_root() -> None:
    text = (ROOT / "Dockerfile").read_text()
    for source in re.findall(r"^COPY (?!--from)(\S+) ", text, re.MULTILINE):
        assert (ROOT / source).exists(), source
    assert "USER portal" in text.splitlines()


def test_everything_mounted_is_declared() -> None:
    volumes = {v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", [])}
    assert volumes == set(COMPOSE["volumes"])
    secrets = {name for service in OURS.values() for name in service["secrets"]}
    assert secrets == set(COMPOSE["secrets"])


def test_the_readme_lists_the_settings(settings: set[str]) -> None:
    text = (ROOT / "README.md").read_text()
    table = text.split("## Settings")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == settings


def test_the_readme_names_only_targets_and_files_that_exist() -> None:
    text = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake (run|test|help|bench|lint|format|clean)\b", text)) <= targets
    for path in re.findall(r"`(catalogue/[\w/.]+|workers/[\w/.]+)`", text):
        assert (ROOT / path).exists(), path


def test_the_lock_is_hashed_and_names_no_index() -> None:
    text = (ROOT / "requirements.txt").read_text()
    assert "--hash=sha256:" in text
    assert not re.search(r"^(-i|--index-url|--extra-index-url|--find-links)", text, re.MULTILINE)
    assert "://" not in text


def test_continuous_integration_runs_make_test_and_skips_nothing() -> None:
    text = (ROOT / ".ci" / "run").read_text()
    assert "BROWSER_REQUIRED=1 TOKEN_REQUIRED=1 make test\n" in text
    assert "make lint\n" in text
