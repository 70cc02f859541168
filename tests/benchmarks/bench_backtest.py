"""A back-test of 1,000 to 100,000 past cases on two processes, against 60 s, 500 MB and bare CEL.

``python -m tests.benchmarks.bench_backtest`` prints one line per size; it never fails. The cases
are one real record, copied with other amounts; the chunks go through the outbox as in service.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import select, text

from catalogue import create_app, embedded, jobs
from catalogue.accounts.operations import create_user
from catalogue.config import Config
from catalogue.database import db
from catalogue.policies import backtest_runs, desk, operations
from catalogue.policies.backtest import Tally
from catalogue.policies.models import BackTest, Policy
from catalogue.policies.rules import evaluate, load
from tests.benchmarks.bench_policies import bare, rate

SIZES = (1_000, 10_000, 100_000)
SECONDS, MEGABYTES, PROCESSES = 60, 500, 2
POLICY = Path("seeds/policies/first_version-2020.yaml")
COPIES = """
INSERT INTO decision_record (application_number, policy_id, scheme, verdict, amount_fen, district,
  firm_size, decided_on, facts, record, sha256, signature, certificate, created_at)
SELECT 'SB-2026-' || (n + :start), policy_id, scheme, verdict, amount_fen,
  '3101' || (1 + n % 16), (ARRAY['large','medium','small','micro'])[1 + n % 4], decided_on,
  jsonb_set(facts, '{contracts,0,amount}', to_jsonb(10000000 + n * 7919 % 200000000)),
  'x', encode(sha256('x'), 'hex'), signature, certificate, created_at
FROM decision_record, generate_series(1, :count) AS n WHERE application_number = 'SB-2026-0'
"""


Addresses = tuple[str, str]


def application(servers: Addresses, folder: Path) -> Flask:
    """The portal on the benchmark's own servers."""
    return create_app(
        Config.from_env(
            {
                "PORTAL_MODE": "test",
                "PORTAL_VAR": str(folder),
                "DATABASE_URL": servers[0],
                "REDIS_URL": servers[1],
            }
        )
    )


def own_memory() -> int:
    """The most memory that this process has held, in kB; what it shares with others included."""
    status = Path("/proc/self/status").read_text("ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def work(servers: Addresses, folder: Path, ready: Any, go: Any, told: Any) -> None:
    """One worker: whatever chunk waits is done, until the test has ended."""
    app = application(servers, folder)
    with app.app_context():
        db.session.execute(select(1))
        ready.release()
        go.wait()
        before = time.process_time()
        while db.session.scalar(select(BackTest.finished_at)) is None:
            due = [job_id for kind, job_id in jobs.due() if kind == backtest_runs.KIND]
            # The workers would otherwise stand at the same door.
            for job_id in due if os.getpid() % 2 else reversed(due):
                if jobs.perform(job_id, {backtest_runs.KIND: backtest_runs.run_chunk}):
                    break
            db.session.remove()
        told.put((own_memory(), time.process_time() - before))


def measure(servers: Addresses, folder: Path, size: int) -> tuple[float, int, float]:
    """Seconds, kB of all processes, and processor seconds of one back-test of ``size`` cases."""
    ready, go = multiprocessing.Semaphore(0), multiprocessing.Event()
    told: Any = multiprocessing.Queue()
    workers = [
        multiprocessing.Process(target=work, args=(servers, folder, ready, go, told))
        for _ in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.acquire()
    started = time.perf_counter()
    draft = db.session.scalars(select(desk.PolicyDraft)).one()
    test = backtest_runs.start(draft, draft.author)
    db.session.commit()
    go.set()
    found = [told.get() for _ in workers]
    spent = time.perf_counter() - started
    for worker in workers:
        worker.join()
    db.session.refresh(test)
    assert test.total == size, test.total
    assert Tally.from_json(test.result or {}).flipped
    return spent, sum(memory for memory, _ in found), sum(cpu for _, cpu in found)


def prepare(policy: Policy) -> None:
    """One real record, and a draft of its policy with a higher threshold."""
    document = operations.document_of(policy)
    example = document.examples[0]
    report = evaluate(document, example.facts, example.today)
    operations.keep_record("SB-2026-0", policy, dict(example.facts), report)
    author = create_user("bench@example.test", "测", "correct horse battery", {"administrator"})
    draft = desk.new_draft(author, title="提高门槛", base=policy)
    place = ("parameters", "min_total_sales", "value")
    desk.save_values(draft, {place: 1_000_000}, author, 1, move=True)
    failing = [e.position for e in desk.standing(draft.text).examples if not e.agrees]
    desk.accept_examples(draft, failing, author, draft.version)
    db.session.commit()


def run(servers: Addresses, folder: Path) -> None:
    """Measure every size on one growing table."""
    from flask_migrate import upgrade

    app = application(servers, folder)
    with app.app_context():
        upgrade()
        document = load(POLICY.read_text("utf-8"), run_examples=False)
        limit = rate(bare(document))
        prepare(operations.publish(document.text, None))
        held = 1
        print(f"bare CEL {limit:,.0f} cases/s of one core")
        head = f"{'cases':>8}{'seconds':>9}{'MB':>6}{'cases/s':>9}"
        print(head + f"{'ms/case/core':>14}{'of bare CEL':>13}")
        for size in SIZES:
            while held < size:
                # In steps, because no statement may last longer than the portal allows.
                step = min(10_000, size - held)
                db.session.execute(text(COPIES), {"start": held - 1, "count": step})
                db.session.commit()
                held += step
            db.session.execute(text("TRUNCATE back_test CASCADE"))
            db.session.execute(text("ANALYZE decision_record"))
            db.session.commit()
            spent, memory, processor = measure(servers, folder, size)
            each = processor / size
            print(
                f"{size:>8,}{spent:>9.1f}{memory / 1024:>6.0f}{size / spent:>9,.0f}"
                f"{each * 1000:>14.3f}{1 / limit / each:>13.2f}"
            )
        print(f"bar: 100,000 cases in {SECONDS} s and {MEGABYTES} MB on two cores")
        db.engine.dispose()


def main() -> None:
    """Start servers of its own, measure, and leave nothing behind."""
    multiprocessing.set_start_method("spawn")
    folder = Path(tempfile.mkdtemp(prefix="portal-"))
    services = embedded.start(folder, durable=False)
    try:
        run((services.database_url, services.redis_url), folder)
    finally:
        services.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
