"""Re-running decision records anywhere: ``python -m catalogue.policies.replay FILE``.

No database, no network, no web framework: a record, the policy text that its hash names, and the
engine. Takes a record.json, a folder of them, or JSON Lines.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import click

from catalogue.policies import record, rules
from catalogue.policies.document import PolicyDocument
from catalogue.policies.source import MAX_BYTES, PolicyRefused

SEEDS = Path(__file__).resolve().parents[2] / "seeds" / "policies"
SAME, DIFFERENT, UNJUDGED = 0, 1, 2


class Policies:
    """Policy texts by the SHA-256 of their bytes; a text is read into a policy on first use."""

    def __init__(self, places: Sequence[Path]) -> None:
        self.texts: dict[str, Path] = {}
        for place in places:
            for path in sorted(place.glob("*.yaml")) if place.is_dir() else [place]:
                if path.stat().st_size <= MAX_BYTES:
                    self.texts[sha256(path.read_bytes()).hexdigest()] = path
        self.loaded: dict[str, PolicyDocument] = {}

    def of(self, digest: str) -> PolicyDocument:
        """The policy whose text has this hash; raises Unreadable when no given file is it."""
        if digest not in self.loaded:
            path = self.texts.get(digest)
            if path is None:
                raise record.Unreadable(f"没有找到政策文本 {digest}，请用 --policy 给出")
            try:
                text = path.read_bytes().decode("utf-8")
                self.loaded[digest] = rules.load(text, run_examples=False)
            except (PolicyRefused, UnicodeDecodeError) as error:
                raise record.Unreadable(f"政策文本 {path} 读不了：{error}") from None
        return self.loaded[digest]


@dataclass(frozen=True)
class Judged:
    """The answer to one record: ``code`` SAME, DIFFERENT or UNJUDGED, and the lines that say so."""

    code: int
    lines: tuple[str, ...]


def judge(text: str | bytes, policies: Policies, root: str | None = None) -> Judged:
    """Check the seal of one record (with ``root``, PEM, also whose it is) and re-run it."""
    try:
        parts, content = record.opened(text)
        found = record.seal_differences(parts, content, root)
        held = parts["record"]
        again = record.rerun(content, policies.of(str(held.get("policy_sha256"))), held)
    except record.Unreadable as error:
        return Judged(UNJUDGED, (f"无法重算 cannot replay: {error}",))
    found += again.differences
    if found:
        return Judged(DIFFERENT, ("不一致 differs:", *(f"  {each}" for each in found)))
    told = f"{held['application']}　{held['scheme']} {held['version']}　{held['verdict']}"
    if again.same_bytes:
        return Judged(SAME, (f"逐字节一致 same bytes　{told}",))
    words = f"内容一致 same content　engine {again.engine} → {rules.ENGINE}　{told}"
    return Judged(SAME, (words,))


def records_in(place: Path) -> Iterator[tuple[str, bytes]]:
    """Every record below ``place`` with a name for messages; raises OSError."""
    if place.is_dir():
        for path in sorted([*place.rglob("*.json"), *place.rglob("*.jsonl")]):
            yield from records_in(path)
    elif place.suffix == ".jsonl":
        with place.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield f"{place}:{number}", line
    else:
        with place.open("rb") as file:
            yield str(place), file.read(record.MAX_BYTES + 1)


@click.command()
@click.argument("place", metavar="FILE", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--policy",
    "given",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="The policy's YAML, or a folder of them; seeds/policies is searched anyway.",
)
@click.option(
    "--root",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PEM of the root that the signer must lead to.",
)
def main(place: Path, given: tuple[Path, ...], root: Path | None) -> None:
    """Re-run the decision records in FILE: record.json, *.jsonl, or a folder of both.

    Ends with 0 when all are the same, 1 when one differs, 2 when one cannot be judged.
    """
    # A fact that the engine refuses, or a rule that fails, is part of the report already.
    logging.disable(logging.CRITICAL)
    try:
        pinned = root.read_text("ascii") if root else None
        counts = _judge_all(place, Policies([*given, SEEDS]), pinned)
    except (OSError, ValueError) as error:
        click.echo(f"读不了 cannot read: {error}", err=True)
        sys.exit(UNJUDGED)
    if not counts:
        click.echo(f"{place} 里没有记录 no records", err=True)
        sys.exit(UNJUDGED)
    if root is None:
        click.echo("没有给 --root，没有核对签名人是谁 the signer was not checked against a root")
    sys.exit(DIFFERENT if counts[DIFFERENT] else max(counts))


def _judge_all(place: Path, policies: Policies, root: str | None) -> Counter[int]:
    """Judge each and say so: one record in full, of many only those that are not the same."""
    counts: Counter[int] = Counter()
    many = place.is_dir() or place.suffix == ".jsonl"
    for name, text in records_in(place):
        judged = judge(text, policies, root)
        counts[judged.code] += 1
        if not many:
            click.echo("\n".join(judged.lines))
        elif judged.code != SAME:
            click.echo("\n".join((f"{name}:", *judged.lines)))
    if many and counts:
        click.echo(
            f"{counts.total()} 份 records：一致 same {counts[SAME]}，"
            f"不一致 different {counts[DIFFERENT]}，无法重算 not replayed {counts[UNJUDGED]}"
        )
    return counts


if __name__ == "__main__":
    main()
