"""The simulator's answers for 10,000 real past cases, against 5 s: opening, turning, a draft.

``python -m tests.benchmarks.bench_simulator`` prints one line per answer; it never fails. The
cases are the examples of two versions with other amounts and days, evaluated and recorded as in
service (one signature for all, because signing is not what is measured).
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text

from catalogue import create_app, embedded
from catalogue.config import Config
from catalogue.database import db
from catalogue.policies import operations, record
from catalogue.policies.document import PolicyDocument
from catalogue.policies.models import DecisionRecord, Policy
from catalogue.policies.rules import evaluate, load, with_parameters
from catalogue.policies.simulator_cases import case_set, simulated
from tests.benchmarks.bench_backtest import own_memory

CASES, SECONDS = 10_000, 5
FILES = ("first_version-2020", "first_version-2020", "first_version-2019")
DISTRICTS, SIZES = 16, ("large", "medium", "small", "micro")


def facts_of(document: PolicyDocument, number: int) -> tuple[dict[str, Any], Any]:
    """Facts of case ``number``: two of three are an example that passes, the rest any example."""
    passing = [e for e in document.examples if e.verdict == "eligible"] or document.examples[:1]
    others = document.examples
    example = passing[number % len(passing)] if number % 3 else others[number % len(others)]
    firm = example.facts.get("enterprise", {}) | {
        "credit_code": f"9131{number % 4_000:014d}",
        "name": f"示范单位{number % 4_000}",
        "district": f"3101{1 + number % DISTRICTS:02d}",
        "size": SIZES[number % len(SIZES)],
    }
    contracts = [
        contract | {"amount": contract.get("amount", 0) + number * 7_919 % 100_000_000}
        for contract in example.facts.get("contracts", [])
    ]
    facts = {**example.facts, "enterprise": firm, "contracts": contracts}
    return facts, example.today + timedelta(days=number % 20)


def rows(policies: list[Policy]) -> Iterator[dict[str, Any]]:
    """Real records: evaluated, built, hashed."""
    for number in range(CASES):
        policy = policies[number % len(policies)]
        facts, today = facts_of(operations.document_of(policy), number)
        report = evaluate(operations.document_of(policy), facts, today)
        content = record.build(f"SB-2026-{number:05d}", facts, report)
        yield {
            "application_number": f"SB-2026-{number:05d}",
            "policy_id": policy.id,
            "scheme": policy.scheme,
            "verdict": report.verdict,
            "amount_fen": report.amount_fen,
            "district": facts["enterprise"]["district"],
            "firm_size": facts["enterprise"]["size"],
            "decided_on": today,
            "facts": facts,
            "record": content.decode(),
            "sha256": record.hash_of(content),
            "signature": "bench",
            "certificate": "bench",
        }


def prepare() -> list[PolicyDocument]:
    """Publish the versions and fill the table."""
    folder = Path("seeds/policies")
    sources = {name: (folder / f"{name}.yaml").read_text("utf-8") for name in FILES}
    policies = [operations.publish(sources[name], None) for name in FILES]
    for row in rows(policies):
        db.session.execute(insert(DecisionRecord), row)
    db.session.commit()
    db.session.execute(text("ANALYZE decision_record"))
    return [operations.document_of(policy) for policy in policies[1:]]


def told(what: str, base: PolicyDocument, turned: PolicyDocument) -> None:
    """Measure one answer as a view asks for it."""
    seconds, processor = time.perf_counter(), time.process_time()
    cases = case_set(base.scheme)
    assert cases is not None
    found = simulated(base, turned, None, cases)
    seconds, processor = time.perf_counter() - seconds, time.process_time() - processor
    assert found.cases == CASES, found.cases
    line = f"{what:<34}{seconds:>8.2f}{processor:>8.2f}{own_memory() / 1024:>7.0f}"
    print(f"{line}{found.turned.eligible:>10}{found.flipped:>8}")


def main() -> None:
    """Start servers of its own, measure, and leave nothing behind."""
    folder = Path(tempfile.mkdtemp(prefix="portal-"))
    services = embedded.start(folder, durable=False)
    try:
        environment = {
            "PORTAL_MODE": "test",
            "PORTAL_VAR": str(folder),
            "DATABASE_URL": services.database_url,
            "REDIS_URL": services.redis_url,
        }
        with create_app(Config.from_env(environment)).app_context():
            from flask_migrate import upgrade

            upgrade()
            new, old = prepare()
            print(f"{'answer':<34}{'s':>8}{'CPU s':>8}{'MB':>7}{'eligible':>10}{'flips':>8}")
            told("opened", new, new)
            told("rate turned", new, with_parameters(new, {"rate": Decimal("0.15")}))
            told("rate turned again", new, with_parameters(new, {"rate": Decimal("0.10")}))
            higher = with_parameters(new, {"min_total_sales": Decimal("900000.00")})
            told("threshold turned", new, higher)
            told("the older version opened", old, old)
            turned = new.text.replace("value: 500000.00", "value: 600000.00", 1)
            assert turned != new.text
            draft = load(turned, run_examples=False)
            told("a draft opened", draft, draft)
            told("a draft's rate turned", draft, with_parameters(draft, {"rate": Decimal("0.15")}))
            print(f"bar: {SECONDS} s for {CASES:,} cases")
            db.engine.dispose()
    finally:
        services.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
