"""Writing a new version: drafts, their checks, and publication by a second person.

This is the only way from the web to a published version. ``operations.publish`` stands beneath
it and by itself serves the seeds and the command line only.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from catalogue.accounts.models import User
from catalogue.audit.operations import record
from catalogue.database import db, utc_now
from catalogue.errors import Refused
from catalogue.policies import backtest_runs, operations, rules
from catalogue.policies.desk_examples import ExampleOutcome, accepted, moved_along, outcomes
from catalogue.policies.desk_text import CannotWrite, Path, places, rewritten
from catalogue.policies.document import SCHEMES, PolicyDocument
from catalogue.policies.models import BackTest, Policy, PolicyDraft
from catalogue.policies.reading import parse
from catalogue.policies.source import MAX_BYTES, PolicyRefused, Problem, read

MAX_TITLE = 80


@dataclass(frozen=True)
class Standing:
    """How a text stands: its document (None when it cannot be read), problems, examples run."""

    document: PolicyDocument | None
    problems: tuple[Problem, ...]
    examples: tuple[ExampleOutcome, ...]

    @property
    def failing(self) -> int:
        """How many examples give something else than they expect."""
        return sum(not example.agrees for example in self.examples)


@lru_cache(maxsize=32)
def standing(text: str) -> Standing:
    """Check a text and run its examples; equal texts are checked once."""
    try:
        document = parse(text)
    except PolicyRefused as error:
        return Standing(None, error.problems, ())
    examples = tuple(outcomes(document))
    try:
        rules.load(text)
    except PolicyRefused as error:
        return Standing(document, error.problems, examples)
    return Standing(document, (), examples)


# ------------------------------------------------------------------ drafts


def new_draft(
    actor: User, *, title: str, base: Policy | None = None, scheme: str = "", text: str = ""
) -> PolicyDraft:
    """Begin a draft from a version, or from a text of a scheme.

    Raises Refused when title or text are out of bounds.
    """
    text = tidy(base.source if base is not None else text)
    scheme = base.scheme if base is not None else scheme
    if scheme not in SCHEMES:
        raise Refused("请选事项", "scheme", 422)
    _require_title(title)
    draft = PolicyDraft(
        scheme=scheme,
        title=title,
        text=text,
        text_sha256=backtest_runs.sha256_of(text),
        based_on_id=base.id if base is not None else None,
        author_id=actor.id,
    )
    draft.saved_at = draft.created_at = utc_now()
    db.session.add(draft)
    db.session.flush()
    record("policy_draft.begin", draft, actor, scheme=scheme, based_on=base.id if base else None)
    return draft


def _require_title(title: str) -> None:
    if not 1 <= len(title) <= MAX_TITLE:
        raise Refused(f"底稿名称 1 至 {MAX_TITLE} 个字", "title", 422)


def tidy(text: str) -> str:
    """A pasted text with Unix line ends; raises Refused when it is empty, too long or not text."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    if not text.strip():
        raise Refused("请贴入政策文件的全文", "text", 422)
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise Refused(f"第 {line} 行有看不见的控制字符，请删掉", "text", 422)
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise Refused(f"文件超过 {MAX_BYTES // 1024} kB", "text", 422)
    return text if text.endswith("\n") else f"{text}\n"


def _require_editable(draft: PolicyDraft, actor: User, version: int) -> None:
    db.session.refresh(draft, with_for_update=True)
    if draft.state != "draft":
        raise Refused("这份底稿已经结束，不能再改")
    if draft.author_id != actor.id:
        raise Refused("只有起草人能改这份底稿；您可以另起一份", status=403)
    if draft.version != version:
        raise Refused("您打开这一页以后，底稿又存过。请核对后再存", "version")


def save_text(draft: PolicyDraft, text: str, actor: User, version: int, **facts: Any) -> None:
    """Store a new text, faulty or not; raises Refused when another saving came between."""
    _require_editable(draft, actor, version)
    text = tidy(text)
    if text == draft.text:
        return
    draft.text, draft.text_sha256 = text, backtest_runs.sha256_of(text)
    draft.version += 1
    draft.saved_at = utc_now()
    record("policy_draft.save", draft, actor, sha256=draft.text_sha256, **facts)


def save_values(
    draft: PolicyDraft, changes: Mapping[Path, Any], actor: User, version: int, *, move: bool
) -> list[str]:
    """Write changed values into the text, each where it stands; the examples that moved along.

    With ``move`` the examples at a threshold follow it. Raises Refused when a value has no place
    of its own in the text.
    """
    source = read(draft.text)
    # A share moves no example: only its amounts change, and those a person looks at.
    found = {place.path: place for place in places(source)}
    before = {path: place.value for path, place in found.items() if place.kind != "rate"}
    try:
        text = rewritten(draft.text, changes)
        notes: list[str] = []
        if move:
            pairs = {path: (before[path], new) for path, new in changes.items() if path in before}
            text, notes = _moved(text, pairs)
    except CannotWrite as error:
        raise Refused(str(error), status=422) from error
    changed = {found[path].label: str(value) for path, value in changes.items() if path in found}
    save_text(draft, text, actor, version, changed=changed)
    return notes


def _moved(text: str, pairs: Mapping[Path, tuple[Any, Any]]) -> tuple[str, list[str]]:
    try:
        return moved_along(text, pairs)
    except PolicyRefused:
        # A text with problems is kept as it is; its page names them.
        return text, []


def accept_examples(
    draft: PolicyDraft, positions: Iterable[int], actor: User, version: int
) -> None:
    """Let examples expect what they now get, after a person has looked at them."""
    chosen = sorted(set(positions))
    try:
        text = accepted(draft.text, chosen)
    except PolicyRefused as error:
        raise Refused("全文还有要改的地方，改好后才能改例子") from error
    except CannotWrite as error:
        raise Refused(str(error)) from error
    save_text(draft, text, actor, version, examples=chosen)


def withdraw(draft: PolicyDraft, actor: User) -> None:
    """Put a draft away for good; a back-test of it that runs is stopped."""
    _require_editable(draft, actor, draft.version)
    running = backtest_runs.live_test(draft)
    if running is not None:
        backtest_runs.cancel(running, actor)
    draft.state, draft.closed_at = "withdrawn", utc_now()
    record("policy_draft.withdraw", draft, actor)


# ------------------------------------------------------------------ publishing


@dataclass(frozen=True)
class Step:
    """One thing that must be so before publishing: what, whether, and the detail."""

    label: str
    done: bool
    detail: str


def steps(draft: PolicyDraft, test: BackTest | None, viewer: User) -> list[Step]:
    """What publishing takes, in order, as it stands for ``viewer`` as the publisher."""
    state = standing(draft.text)
    done = test is not None and test.state == "done"
    openers = {opening.user_id: opening for opening in test.openings} if test is not None else {}
    second = next((o for user, o in openers.items() if user != draft.author_id), None)
    if viewer.id != draft.author_id:
        second = openers.get(viewer.id)
    taken = clash(draft)
    return [
        Step("版本号没有用过，施行日期不与别的版本重叠", not taken, taken),
        Step(
            "全文没有问题，例子全部通过",
            not state.problems,
            f"还有 {len(state.problems)} 处要改" if state.problems else "",
        ),
        Step(
            "现在这份全文已在以往全部申报上回测",
            done,
            f"共 {test.total} 件" if done and test is not None else "改动全文后要重新回测",
        ),
        Step(
            f"起草人{draft.author.name}打开过回测结果",
            draft.author_id in openers,
            "",
        ),
        Step(
            "第二位管理员打开过回测结果",
            second is not None,
            second.user.name if second is not None else "发布的人不能是起草人",
        ),
    ]


def publish(draft: PolicyDraft, actor: User, version: int) -> Policy:
    """Publish the draft as a version that never changes.

    The actor is not the author; both have opened the finished back-test of this very text.
    Raises Refused naming what is missing, or what the version's dates collide with.
    """
    db.session.refresh(draft, with_for_update=True)
    if draft.state != "draft":
        raise Refused("这份底稿已经结束")
    if draft.version != version:
        raise Refused("您打开这一页以后，底稿又存过。请核对后再发布")
    if draft.author_id == actor.id:
        raise Refused("起草人不能自己发布，请另一位管理员打开回测结果后发布", status=403)
    test = backtest_runs.newest_test(draft)
    lacking = [step.label for step in steps(draft, test, actor) if not step.done]
    if lacking:
        raise Refused(f"还不能发布：{'；'.join(lacking)}")
    policy = operations.publish(draft.text, actor)
    draft.state, draft.closed_at = "published", utc_now()
    draft.policy_id, draft.published_by_id = policy.id, actor.id
    record(
        "policy_draft.publish",
        draft,
        actor,
        policy=policy.id,
        sha256=policy.sha256,
        author=draft.author_id,
        back_test=test.id if test is not None else None,
    )
    return policy


def clash(draft: PolicyDraft) -> str:
    """Why the draft could not stand beside the published versions; empty when it could."""
    document = standing(draft.text).document
    if draft.state != "draft" or document is None:
        return ""
    if document.scheme != draft.scheme:
        return f"全文写的事项是{SCHEMES[document.scheme]}，底稿是{SCHEMES[draft.scheme]}"
    try:
        operations.require_new_version(document)
    except Refused as refused:
        return refused.reason
    return ""
