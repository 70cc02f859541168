"""Running a back-test: in chunks through the outbox, cancelled and gone on with at any time.

Which records take part is fixed when it starts, so that the sum of the chunks is the result of
one process, whoever worked on them and however often one was killed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, select, update
from sqlalchemy.orm import aliased

from catalogue.accounts.models import User
from catalogue.audit.operations import record
from catalogue.database import db, utc_now
from catalogue.errors import Refused
from catalogue.jobs import Job, enqueue
from catalogue.policies import rules
from catalogue.policies.backtest import Case, Tally, fitting, merged, tally
from catalogue.policies.document import PolicyDocument
from catalogue.policies.models import (
    BackTest,
    BackTestChunk,
    BackTestOpening,
    DecisionRecord,
    Policy,
    PolicyDraft,
)
from catalogue.policies.operations import PastCase, document_of

KIND = "back_test_chunk"
CHUNK = 1_000
# So many chunks wait at a time: enough for the two processes of a worker, and so few that a
# firm's own check never stands behind more than these.
LANES = 2

Budget = tuple[int, bool]
_budgets: list[Callable[[str, int], Budget | None]] = []


def budget_known_by(provider: Callable[[str, int], Budget | None]) -> Any:
    """Decorate a function of a higher room: total in fen, and whether it is a placeholder.

    It is given scheme and year, and answers None when nobody set a budget.
    """
    if provider not in _budgets:
        _budgets.append(provider)
    return provider


def budget_of(scheme: str, year: int) -> Budget | None:
    """The year's budget of a scheme as far as a higher room knows it."""
    return next((found for ask in _budgets if (found := ask(scheme, year)) is not None), None)


# ------------------------------------------------------------------ which cases


def newest_up_to(scheme: str, until_id: int) -> ColumnElement[bool]:
    """The newest record of every application of a scheme, among those up to ``until_id``."""
    later = aliased(DecisionRecord)
    return and_(
        DecisionRecord.scheme == scheme,
        DecisionRecord.id <= until_id,
        ~exists().where(
            later.application_number == DecisionRecord.application_number,
            later.id > DecisionRecord.id,
            later.id <= until_id,
        ),
    )


def _ranges(scheme: str, until_id: int) -> list[tuple[int, int, int]]:
    """First id, last id and number of cases of every chunk."""
    numbered = (
        select(
            DecisionRecord.id,
            ((func.row_number().over(order_by=DecisionRecord.id) - 1) // CHUNK).label("part"),
        )
        .where(newest_up_to(scheme, until_id))
        .subquery()
    )
    rows = db.session.execute(
        select(func.min(numbered.c.id), func.max(numbered.c.id), func.count())
        .group_by(numbered.c.part)
        .order_by(func.min(numbered.c.id))
    )
    return [(first, last, count) for first, last, count in rows]


def cases_between(scheme: str, until_id: int, from_id: int, to_id: int) -> Iterator[PastCase]:
    """The past cases of one chunk."""
    columns = [getattr(DecisionRecord, name) for name in PastCase._fields]
    rows = db.session.execute(
        select(*columns)
        .where(newest_up_to(scheme, until_id), DecisionRecord.id.between(from_id, to_id))
        .order_by(DecisionRecord.id)
    )
    return (PastCase(*row) for row in rows)


# ------------------------------------------------------------------ trying


@lru_cache(maxsize=16)
def _drafted(sha256: str, text: str) -> PolicyDocument:
    return rules.load(text, run_examples=False)


def text_of_draft(draft: PolicyDraft, digest: str = "") -> PolicyDocument | None:
    """The draft's document, examples not run: of its present text, or of that which ``digest`` is.

    ``digest`` is the beginning of a text's SHA-256; None when that text is not kept any more (a
    text stays when it was back-tested). Raises PolicyRefused when it has problems.
    """
    if draft.text_sha256.startswith(digest):
        return _drafted(draft.text_sha256, draft.text)
    kept = db.session.execute(
        select(BackTest.text_sha256, BackTest.text)
        .where(BackTest.draft_id == draft.id, BackTest.text_sha256.startswith(digest))
        .limit(1)
    ).one_or_none()
    return None if kept is None else _drafted(kept.text_sha256, kept.text)


def tried(document: PolicyDocument, cases: Iterable[PastCase]) -> Tally:
    """The tally of ``cases``, flips explained by what their own version said of them."""
    known: dict[int, PolicyDocument] = {}

    def before(case: Case) -> Mapping[str, str]:
        own = known.get(case.policy_id)
        if own is None:
            own = known[case.policy_id] = document_of(db.session.get_one(Policy, case.policy_id))
        return rules.decide(own, fitting(case.facts, own), case.decided_on).results

    return tally(document, cases, before)


# ------------------------------------------------------------------ verbs


def start(draft: PolicyDraft, actor: User) -> BackTest:
    """Begin to try the draft's text on every past case of its scheme.

    Raises Refused when the text has problems, the draft is closed, or a back-test is under way.
    """
    if draft.state != "draft":
        raise Refused("这份底稿已经结束，不再回测")
    if live_test(draft) is not None:
        raise Refused("这份底稿正在回测，请等它完成，或先停下")
    try:
        rules.load(draft.text)
    except rules.PolicyRefused as error:
        raise Refused(
            f"还有 {len(error.problems)} 处要改，改好并且例子全部通过后才能回测"
        ) from error
    until_id = db.session.scalar(select(func.max(DecisionRecord.id))) or 0
    ranges = _ranges(draft.scheme, until_id)
    test = BackTest(
        draft=draft,
        text=draft.text,
        text_sha256=draft.text_sha256,
        until_id=until_id,
        total=sum(count for _, _, count in ranges),
        started_by_id=actor.id,
    )
    db.session.add(test)
    db.session.flush()
    db.session.add_all(
        BackTestChunk(back_test_id=test.id, from_id=first, to_id=last) for first, last, _ in ranges
    )
    db.session.flush()
    record(
        "back_test.start", test, actor, draft=draft.id, sha256=test.text_sha256, total=test.total
    )
    if not ranges:
        _finish(test, Tally())
    for _ in range(LANES):
        _queue_next(test.id)
    return test


def live_test(draft: PolicyDraft) -> BackTest | None:
    """The back-test of the draft that is under way."""
    return db.session.scalar(
        select(BackTest).where(
            BackTest.draft_id == draft.id, BackTest.state.in_(("waiting", "running"))
        )
    )


def newest_test(draft: PolicyDraft) -> BackTest | None:
    """The draft's newest back-test of its present text."""
    return db.session.scalar(
        select(BackTest)
        .where(BackTest.draft_id == draft.id, BackTest.text_sha256 == draft.text_sha256)
        .order_by(BackTest.id.desc())
        .limit(1)
    )


def _queue_next(test_id: int) -> None:
    """Put one more chunk into the outbox."""
    chunk = db.session.scalar(
        select(BackTestChunk)
        .where(
            BackTestChunk.back_test_id == test_id,
            BackTestChunk.done_at.is_(None),
            BackTestChunk.queued.is_(False),
        )
        .order_by(BackTestChunk.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if chunk is not None:
        chunk.queued = True
        enqueue(KIND, chunk.id)


def run_chunk(chunk_id: int) -> None:
    """The job: try one chunk, add it up, and ask for the next; a second run changes nothing."""
    chunk = db.session.get(BackTestChunk, chunk_id)
    if chunk is None or chunk.done_at is not None:
        return
    test = chunk.back_test
    if test.state not in ("waiting", "running"):
        return
    try:
        document = _drafted(test.text_sha256, test.text)
    except rules.PolicyRefused as error:
        # It was sound when the test began: the engine has become stricter meanwhile.
        test.state, test.finished_at = "failed", utc_now()
        record("back_test.fail", test, None, reason=str(error)[:500])
        return
    cases = cases_between(test.draft.scheme, test.until_id, chunk.from_id, chunk.to_id)
    counted = tried(document, cases)
    # From here the row of the test is held, so that chunks which end together take turns.
    db.session.refresh(test, with_for_update=True)
    if test.finished_at is not None:
        return
    chunk.tally, chunk.done_at = counted.as_json(), utc_now()
    test.state, test.done = "running", test.done + counted.cases
    db.session.flush()
    if _left(test.id):
        _queue_next(test.id)
    else:
        _finish(test, merged(Tally.from_json(part) for part in _parts(test.id)))


def _left(test_id: int) -> int:
    return (
        db.session.scalar(
            select(func.count()).where(
                BackTestChunk.back_test_id == test_id, BackTestChunk.done_at.is_(None)
            )
        )
        or 0
    )


def _parts(test_id: int) -> Iterator[dict[str, Any]]:
    yield from db.session.scalars(
        select(BackTestChunk.tally)
        .where(BackTestChunk.back_test_id == test_id, BackTestChunk.tally.is_not(None))
        .order_by(BackTestChunk.id)
    )


def _finish(test: BackTest, whole: Tally) -> None:
    test.state, test.result, test.finished_at = "done", whole.as_json(), utc_now()
    db.session.flush()
    record("back_test.finish", test, None, cases=whole.cases, flipped=whole.flipped)


def cancel(test: BackTest, actor: User) -> None:
    """Stop a back-test; what is counted so far is kept but gives no result."""
    db.session.refresh(test, with_for_update=True)
    if test.finished_at is not None:
        raise Refused("这次回测已经结束")
    test.state, test.finished_at = "cancelled", utc_now()
    record("back_test.cancel", test, actor, done=test.done, total=test.total)


def stopped(test: BackTest) -> bool:
    """Whether a running back-test has nobody at work on it: its jobs gave up."""
    if test.finished_at is not None:
        return False
    living = select(Job.id).where(
        Job.kind == KIND,
        Job.state.in_(("waiting", "leased")),
        Job.subject_id.in_(
            select(BackTestChunk.id).where(
                BackTestChunk.back_test_id == test.id, BackTestChunk.done_at.is_(None)
            )
        ),
    )
    return db.session.scalar(living.limit(1)) is None


def resume(test: BackTest, actor: User) -> None:
    """Go on with a back-test whose jobs gave up; chunks that are counted stay counted."""
    db.session.refresh(test, with_for_update=True)
    if not stopped(test):
        raise Refused("这次回测没有停住")
    db.session.execute(
        update(BackTestChunk)
        .where(BackTestChunk.back_test_id == test.id, BackTestChunk.done_at.is_(None))
        .values(queued=False)
    )
    for _ in range(LANES):
        _queue_next(test.id)
    record("back_test.resume", test, actor, done=test.done, total=test.total)


def open_result(test: BackTest, actor: User) -> None:
    """Note that the person opened the result; a second time changes nothing."""
    if test.state != "done":
        raise Refused("回测完成后才能打开结果")
    if opened_by(test, actor):
        return
    db.session.add(BackTestOpening(back_test_id=test.id, user_id=actor.id))
    record("back_test.open", test, actor, sha256=test.text_sha256)
    db.session.expire(test, ["openings"])


def opened_by(test: BackTest, user: User) -> bool:
    """Whether the person has opened the result."""
    return any(opening.user_id == user.id for opening in test.openings)


def sha256_of(text: str) -> str:
    """The hash of a policy text."""
    return hashlib.sha256(text.encode()).hexdigest()
