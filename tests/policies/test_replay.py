"""The command that re-runs records elsewhere: its words, its exit codes, what it does not load."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from catalogue import keys
from catalogue.policies import record, replay
from catalogue.policies.rules import evaluate, load
from tests.policies import small

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> keys.SigningKey:
    """A demonstration key."""
    return keys.load(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def folder(tmp_path: Path, key: keys.SigningKey) -> Path:
    """Two records of the small policy, its text, and the root."""
    policy = load(small.TEXT, run_examples=False)
    for number, amount in ((1, 99_999), (2, 100_000)):
        facts = {"contracts": [{"amount": amount}]}
        content = record.build(f"SB-2026-000{number}", facts, evaluate(policy, facts, small.TODAY))
        file = record.envelope(content, key.sign(content), key.pem)
        (tmp_path / f"{number}.json").write_bytes(file)
    (tmp_path / "small.yaml").write_text(small.TEXT, "utf-8")
    (tmp_path / "root.pem").write_text(key.root_pem, "ascii")
    return tmp_path


def run(folder: Path, *arguments: object) -> Result:
    """The command with the small policy at hand."""
    given = ["--policy", folder / "small.yaml", *arguments]
    return CliRunner().invoke(replay.main, [str(each) for each in given])


def test_it_runs_without_flask_and_database_and_says_same_bytes(folder: Path) -> None:
    """As on another machine: a process of its own, which then tells what it loaded."""
    program = (
        "import atexit, socket, sys\n"
        "socket.socket.connect = None\n"  # any connection would now fail
        "atexit.register(lambda: print(sorted(m for m in sys.modules if m.split('.')[0] in"
        " ('flask', 'sqlalchemy', 'psycopg', 'celery', 'redis'))))\n"
        "from catalogue.policies.replay import main\n"
        "main()\n"
    )
    options: list[str | Path] = ["--policy", folder / "small.yaml", "--root", folder / "root.pem"]
    done = subprocess.run(
        [sys.executable, "-c", program, folder / "1.json", *options],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said, loaded = done.stdout.splitlines()
    assert said.startswith("逐字节一致 same bytes")
    assert loaded == "[]"


def test_a_folder_and_json_lines_are_counted(folder: Path) -> None:
    lines = b"\n".join((folder / f"{n}.json").read_bytes() for n in (1, 2, 1))
    (folder / "dump.jsonl").write_bytes(lines)
    assert "3 份 records：一致 same 3" in run(folder, folder / "dump.jsonl").output
    result = run(folder, folder)
    assert result.exit_code == 0
    assert "5 份 records：一致 same 5" in result.output


def test_one_that_differs_is_named_and_decides_the_exit_code(folder: Path) -> None:
    path = folder / "2.json"
    path.write_bytes(path.read_bytes().replace(b'"eligible"', b'"ineligible"'))
    (folder / "3.json").write_text("{}", "utf-8")
    result = run(folder, folder)
    assert result.exit_code == 1
    assert 'verdict: 记录 recorded "ineligible"，重算 recomputed "eligible"' in result.output
    assert "一致 same 1，不一致 different 1，无法重算 not replayed 1" in result.output
    assert "1.json" not in result.output


def test_without_the_policy_text_nothing_is_said_about_the_decision(folder: Path) -> None:
    result = CliRunner().invoke(replay.main, [str(folder / "1.json")])
    assert result.exit_code == 2
    assert "没有找到政策文本" in result.output


def test_an_empty_folder_is_no_proof(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run(folder, empty).exit_code == 2
