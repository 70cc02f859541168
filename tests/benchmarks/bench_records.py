"""Records replayed a second against bare ``evaluate`` of the same facts, in the same run.

``python -m tests.benchmarks.bench_records`` seals BENCH_RECORDS records (default 5,000) as JSON
Lines and judges them all as the command does: hash, signature, policy by hash, re-run.
"""

from __future__ import annotations

import copy
import os
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from catalogue import keys
from catalogue.policies import record, replay
from catalogue.policies.rules import evaluate, load

COUNT = int(os.environ.get("BENCH_RECORDS", "5000"))
WHOLE = 100_000


def main() -> None:
    """Print records a second, the bare rate, the ratio, and the time for 100,000."""
    document = load(
        (replay.SEEDS / "first_version-2020.yaml").read_text("utf-8"), run_examples=False
    )
    cases = [copy.deepcopy(dict(example.facts)) for example in document.examples]
    today = document.examples[0].today
    with TemporaryDirectory() as folder:
        key = keys.load(Path(folder) / "keys")
        sealed = []
        for facts in cases:
            content = record.build("SB-2026-0001", facts, evaluate(document, facts, today))
            sealed.append(record.envelope(content, key.sign(content), key.pem))
        dump = Path(folder) / "records.jsonl"
        dump.write_bytes(b"\n".join(sealed[n % len(sealed)] for n in range(COUNT)))
        policies = replay.Policies([replay.SEEDS])

        started = time.process_time()
        codes = Counter(
            replay.judge(text, policies, key.root_pem).code for _, text in replay.records_in(dump)
        )
        ours = time.process_time() - started

    started = time.process_time()
    for number in range(COUNT):
        evaluate(document, cases[number % len(cases)], today)
    bare = time.process_time() - started

    assert codes == {replay.SAME: COUNT}, codes
    print(
        f"records: {COUNT / ours:.0f}/s replayed, {COUNT / bare:.0f}/s bare evaluate,"
        f" {ours / bare:.2f} × the limit; {WHOLE:,} take {ours / COUNT * WHOLE:.0f} s"
        f" of one core; {sum(map(len, sealed)) / len(sealed) / 1000:.1f} kB each"
    )


if __name__ == "__main__":
    main()
