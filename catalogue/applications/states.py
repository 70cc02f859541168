"""The one table that runs an application: every state and every move (design, section 4)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

SYSTEM = "system"


@dataclass(frozen=True)
class State:
    """A state with its inside name, the name that the public reads, and its step of six."""

    id: str
    inside: str
    public: str
    tag: str
    step: int
    ended: bool = False


@dataclass(frozen=True)
class Move:
    """One allowed move: from, action, who may, to, the job then due, and the button's words.

    A move with a ``stage`` is open only under a policy that names this stage; it stands before
    the move of the same action that passes the stage through.
    """

    source: str
    action: str
    target: str
    roles: tuple[str, ...]
    job: str | None = None
    label: str = ""
    needs_reason: bool = False
    stage: str | None = None


STEPS = ("填报", "形式审查", "专家评审", "审定", "公示", "发证拨付")

_STATES = (
    State("draft", "草稿", "草稿", "plain", 0),
    State("signing", "待签章", "待签章", "waiting", 0),
    State("submitted", "已提交，核验中", "自动核验", "working", 1),
    State("eligible", "核验符合，待受理", "待形式审查", "working", 1),
    State("ineligible", "核验不符", "核验不符", "fail", 1),
    State("needs_person", "待人工判定", "待形式审查", "unknown", 1),
    State("formal_check", "形式审查", "形式审查", "working", 1),
    State("correcting", "待补正", "等您补正", "waiting", 1),
    State("expert_review", "专家评审", "专家评审", "working", 2),
    State("committee", "待审定", "审定", "working", 3),
    State("on_notice", "公示中", "公示中", "official", 4),
    State("objected", "异议处理", "异议处理", "waiting", 4),
    State("cleared", "公示期满", "公示期满", "working", 5),
    State("concluded", "已办结", "已办结", "ok", 5, ended=True),
    State("rejected", "不予通过", "未通过", "fail", 3, ended=True),
    State("withdrawn", "已撤回", "已撤回", "plain", 0, ended=True),
    State("revoked", "已撤销", "已撤销", "fail", 5, ended=True),
)
STATES = {state.id: state for state in _STATES}

APPLICANT = ("applicant", "signatory")
OFFICER = ("reviewer",)
DECIDER = ("approver",)
MACHINE = (SYSTEM,)

CHECK = "check_application"
CONCLUDE = "conclude_application"

MOVES = (
    Move("draft", "send_for_signing", "signing", ("applicant",), label="送签章人"),
    Move("signing", "send_back", "draft", ("signatory",), label="退回经办人", needs_reason=True),
    Move("signing", "submit", "submitted", ("signatory",), CHECK, "签章并提交申报"),
    Move("draft", "submit", "submitted", APPLICANT, CHECK, "提交申报"),
    Move("submitted", "find_eligible", "eligible", MACHINE),
    Move("submitted", "find_ineligible", "ineligible", MACHINE),
    Move("submitted", "find_unknown", "needs_person", MACHINE),
    Move("ineligible", "reopen", "draft", APPLICANT, label="改了再报"),
    Move("ineligible", "contest", "needs_person", APPLICANT, None, "请人工复核", True),
    Move("eligible", "take", "formal_check", OFFICER, label="受理，开始形式审查"),
    Move("needs_person", "take", "formal_check", OFFICER, label="受理，开始形式审查"),
    Move("formal_check", "return_for_correction", "correcting", OFFICER, label="发出补正通知"),
    Move("correcting", "correct", "formal_check", APPLICANT, CHECK, "交回补正"),
    Move(
        "formal_check",
        "pass_formal",
        "expert_review",
        OFFICER,
        label="形式审查通过",
        stage="expert_review",
    ),
    Move("formal_check", "pass_formal", "committee", OFFICER, label="形式审查通过"),
    Move("formal_check", "reject", "rejected", OFFICER, None, "不予通过", True),
    Move("expert_review", "conclude_review", "committee", OFFICER, label="登记专家评审意见"),
    Move(
        "expert_review", "send_back_to_check", "formal_check", OFFICER, None, "退回形式审查", True
    ),
    Move("expert_review", "reject", "rejected", OFFICER, None, "不予通过", True),
    Move("committee", "send_back_to_check", "formal_check", DECIDER, None, "退回形式审查", True),
    Move("committee", "approve", "on_notice", DECIDER, label="审定通过并公示"),
    Move("committee", "reject", "rejected", DECIDER, None, "不予通过", True),
    Move("on_notice", "object", "objected", MACHINE),
    Move("objected", "dismiss_objection", "on_notice", DECIDER, None, "异议不成立", True),
    Move("objected", "uphold_objection", "rejected", DECIDER, None, "异议成立", True),
    Move("on_notice", "clear", "cleared", MACHINE, CONCLUDE),
    Move("cleared", "conclude", "concluded", MACHINE),
    Move("concluded", "revoke", "revoked", DECIDER, None, "撤销", True),
    *(
        Move(source, "withdraw", "withdrawn", APPLICANT, None, "撤回申报", True)
        for source in (
            "draft",
            "signing",
            "eligible",
            "ineligible",
            "needs_person",
            "formal_check",
            "correcting",
            "expert_review",
            "committee",
        )
    ),
)

# States in which work is due and a live job must exist (`flask check` looks for breaches).
AWAITS_JOB = {"submitted": CHECK, "cleared": CONCLUDE}


class UnknownMove(LookupError):
    """The table has no such move."""


def find(state: str, action: str, stages: Collection[str]) -> Move:
    """The move of this action out of this state under a policy's ``stages``.

    Raises UnknownMove when the table has none.
    """
    for move in MOVES:
        if move.source == state and move.action == action and _open_to(move, stages):
            return move
    raise UnknownMove(f"{state} has no {action}")


def _open_to(move: Move, stages: Collection[str]) -> bool:
    return move.stage is None or move.stage in stages


def moves_from(state: str, roles: set[str]) -> list[Move]:
    """The moves that a person with ``roles`` may make out of ``state``, one per action.

    Which stage a move leads to depends on the policy and is settled by ``find``.
    """
    moves: dict[str, Move] = {}
    for move in MOVES:
        if move.source == state and not roles.isdisjoint(move.roles):
            moves.setdefault(move.action, move)
    return list(moves.values())


def sources_of(action: str) -> tuple[str, ...]:
    """The states out of which this action leads."""
    return tuple(dict.fromkeys(move.source for move in MOVES if move.action == action))
