"""Reading what a policy asks of an applicant and how it is handled: form, evidence, stages."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from catalogue.policies.document import (
    ANSWER_KINDS,
    COLUMN_TYPES,
    STAGES,
    Answer,
    Article,
    Column,
    ContractLimits,
    Material,
    Quantity,
    Ruling,
)
from catalogue.policies.facts import SCHEMA, Group
from catalogue.policies.reader import NAME, Path, Reader

MAX_COLUMNS = 12


def answers_of(reader: Reader, articles: Mapping[str, Article]) -> tuple[Answer, ...]:
    """The questions of the form."""
    made = []
    for path, entry in reader.entries("answers"):
        kind = reader.text(entry, "type", path)
        if kind not in ANSWER_KINDS:
            reader.fault(f"type 只能是 {'、'.join(ANSWER_KINDS)}", *path, "type")
            kind = "text"
        answer_id = reader.text(entry, "id", path)
        if not NAME.fullmatch(answer_id):
            reader.fault("id 用小写字母、数字和下划线", *path, "id")
        longest = reader.typed(entry.get("max_length"), int, "max_length", 200, path)
        if not 1 <= longest <= 4000:
            reader.fault("max_length 在 1 到 4000 之间", *path, "max_length")
        made.append(
            Answer(
                answer_id,
                reader.text(entry, "label", path),
                reader.text(entry, "hint", path, ""),
                kind,
                longest,
                reader.flag(entry, "required", path),
                reader.article(entry, articles, path),
                reader.options(entry, path),
            )
        )
    return tuple(made)


def materials_of(reader: Reader, articles: Mapping[str, Article]) -> tuple[Material, ...]:
    """The kinds of evidence."""
    return tuple(
        Material(
            reader.text(entry, "id", path),
            reader.text(entry, "name", path),
            reader.flag(entry, "required", path),
            reader.text(entry, "hint", path, ""),
            reader.article(entry, articles, path),
            reader.flag(entry, "placeholder", path),
        )
        for path, entry in reader.entries("materials")
    )


def contracts_of(reader: Reader, articles: Mapping[str, Article]) -> ContractLimits | None:
    """How many contracts the form takes and what it asks of each; None for a form without."""
    path = ("contracts",)
    entry = reader.typed(reader.source.data.get("contracts"), dict, "contracts", {}, path)
    if not entry or not reader.keys_fit(entry, "contracts", path):
        return None
    least = reader.typed(entry.get("min"), int, "min", 0, path)
    most = reader.typed(entry.get("max"), int, "max", 0, path)
    if "min" not in entry or "max" not in entry:
        reader.fault("contracts 要写 min 和 max", *path)
    if not 0 <= least <= most <= 100:
        reader.fault("contracts 的 min、max 应满足 0 ≤ min ≤ max ≤ 100", *path)
    columns = _columns(reader, entry)
    return ContractLimits(least, most, reader.article(entry, articles, path), columns)


def _columns(reader: Reader, contracts: Mapping[str, Any]) -> tuple[Column, ...]:
    path = ("contracts", "columns")
    entries = reader.typed(contracts.get("columns"), list, "columns", [], path)
    if len(entries) > MAX_COLUMNS:
        reader.fault(f"columns 超过 {MAX_COLUMNS} 列", *path)
        return ()
    common = SCHEMA["contracts"]
    taken = set(common.fields) if isinstance(common, Group) else set()
    made = []
    for position, entry in enumerate(entries):
        place = (*path, position)
        if not reader.keys_fit(entry, "columns", place):
            continue
        column_id, kind = reader.text(entry, "id", place), reader.text(entry, "type", place)
        if not NAME.fullmatch(column_id) or column_id in taken:
            reader.fault("列的 id 用小写字母、数字和下划线，且不与合同已有的字段同名", *place, "id")
        if kind not in COLUMN_TYPES:
            reader.fault(f"type 只能是 {'、'.join(sorted(COLUMN_TYPES))}", *place, "type")
            continue
        taken.add(column_id)
        made.append(
            Column(
                column_id,
                reader.text(entry, "label", place),
                kind,
                reader.flag(entry, "required", place),
                reader.text(entry, "hint", place, ""),
                reader.options(entry, place),
            )
        )
    return tuple(made)


def stages_of(reader: Reader) -> tuple[str, ...]:
    """The stages that an application goes through, in the order of STAGES."""
    stages = reader.typed(reader.source.data.get("stages"), list, "stages", [], ("stages",))
    for position, stage in enumerate(stages):
        if not reader.known(stage, STAGES):
            known_stages = "、".join(STAGES)
            reader.fault(f"没有环节 {str(stage)[:20]}，可用：{known_stages}", "stages", position)
    known = [stage for stage in STAGES if stage in stages]
    if known != stages:
        reader.fault(f"环节须依次写：{'、'.join(STAGES)}", "stages")
    return tuple(known)


def quantity_of(
    reader: Reader, entry: Any, key: str, path: Path, beside: Collection[str] = ()
) -> Quantity:
    """A whole number with its standing, such as the working days of a notice.

    ``beside`` names the keys of the same entry that something else reads.
    """
    if isinstance(entry, int) and not isinstance(entry, bool):
        entry = {key: entry}
    if not isinstance(entry, dict):
        reader.fault(f"应写成 {{{key}: 数, placeholder: …}}", *path)
        return Quantity(0, False)
    for other in entry.keys() - {key, "placeholder", "note", *beside}:
        reader.fault(f"这里没有 {other} 这个键", *path, other)
    value = reader.typed(entry.get(key), int, key, 0, path)
    if not 1 <= value <= 1000:
        reader.fault(f"{key} 应在 1 到 1000 之间", *path)
    return Quantity(
        value, reader.flag(entry, "placeholder", path), reader.text(entry, "note", path, "")
    )


def restart_of(reader: Reader) -> Ruling:
    """Whether the days of a notice begin anew when it is corrected.

    Unsaid means yes, so that nobody has less than the full period, and is a 示范参数.
    """
    entry, key = reader.source.data.get("notice"), "restart_on_correction"
    if not isinstance(entry, dict) or entry.get(key) is None:
        return Ruling(value=True, placeholder=True)
    path = ("notice",)
    return Ruling(reader.flag(entry, key, path), reader.flag(entry, "placeholder", path))


def promised_of(reader: Reader) -> dict[str, Quantity]:
    """The working days promised for each stage."""
    path = ("promised_days",)
    section = reader.typed(reader.source.data.get("promised_days"), dict, "promised_days", {}, path)
    for stage in section:
        if stage not in STAGES:
            reader.fault(f"没有环节 {stage}", *path, stage)
    return {
        stage: quantity_of(reader, entry, "working_days", (*path, stage))
        for stage, entry in section.items()
    }
