"""The open API beyond the catalogue, and its OpenAPI document."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    redirect,
    render_template,
    request,
    send_file,
    url_for,
)
from sqlalchemy import select

from catalogue.accounts.access import public
from catalogue.certificates.models import Certificate
from catalogue.certificates.operations import check_number
from catalogue.certificates.rules import normal_number
from catalogue.database import db
from catalogue.documents.operations import open_document
from catalogue.funds.models import Award, Budget
from catalogue.listings import api_schema as shape
from catalogue.listings.api import (
    CURSOR,
    LIMIT,
    OPERATIONS,
    ROOT,
    Asked,
    Parameter,
    as_response,
    day_text,
    dumped,
    key_parameter,
    linked,
    listed,
    paged,
    path_of,
    resource,
    sent,
)
from catalogue.listings.api_document import About, Examples, document, examples
from catalogue.listings.operations import shanghai_day
from catalogue.notices.models import Notice, NoticeItem, Objection
from catalogue.policies.document import SCHEMES
from catalogue.policies.models import Policy, Round
from catalogue.policies.operations import all_versions, governing, version_named, versions_of
from catalogue.policies.reader import VERSION
from catalogue.reviews import overrides as overrides_room
from catalogue.statistics import open_data, open_data_ocds
from catalogue.statistics import open_data_files as files
from catalogue.statistics.models import DataFile
from catalogue.statistics.open_data_ocds import LICENCE

bp = Blueprint("open_data", __name__)

DATA_FILE = shape.named(
    "DataFile",
    shape.record(
        "一个每日文件",
        {
            "name": shape.text("文件名"),
            "dataset": shape.text("数据集"),
            "day": shape.day("哪一天的"),
            "kind": shape.text("whole 全部；changes 变动", enum=["whole", "changes"]),
            "since": shape.day("变动文件与哪一天的相比", null=True),
            "format": shape.text("格式", enum=["jsonl", "csv", "ocds"]),
            "records": shape.whole("几条"),
            "size": shape.whole("几个字节"),
            "sha256": shape.text("文件的哈希"),
            "url": shape.text("下载的地址"),
        },
    ),
)
ABOUT = (
    "《创新产品推荐目录》门户的公开数据：目录条目、公示、证书状态、事项与政策版本、申报批次、"
    "核定资金、不予采用的核验项。只读，不需登记；每个地址每分钟 300 次。"
    "金额一律以分为单位的整数；时刻带时区；没有公开文字规定的数以 placeholder 标明，即示范参数。"
)

IN_SCHEME = Parameter(
    "scheme", "只要这一事项的", {"type": "string", "enum": list(SCHEMES)}, "first_version"
)
SCHEME = Parameter(
    "scheme",
    "事项的代码",
    {"type": "string", "enum": list(SCHEMES)},
    "first_version",
    place="path",
)


def _newest(key: Any) -> Any:
    return lambda: db.session.scalar(select(key).order_by(key.desc()).limit(1))


# ---------------------------------------------------------------- notices


@resource(
    bp,
    "/notices",
    "公示，新的在前",
    shape.page_of(open_data.NOTICE),
    IN_SCHEME,
    LIMIT,
    CURSOR,
)
def notices(asked: Asked) -> Response:
    """One page of notices."""
    statement = open_data.notices()
    if asked["scheme"]:
        statement = statement.where(
            Notice.round_id.in_(select(Round.id).where(Round.scheme == asked["scheme"]))
        )
    return listed(asked, statement, Notice.id, open_data.notice_record)


@resource(
    bp,
    "/notices/{notice}",
    "一份公示，连同产品和已处理的异议",
    open_data.WHOLE_NOTICE,
    key_parameter("notice", "公示的号", _newest(Notice.id)),
)
def notice(asked: Asked) -> shape.Json:
    """One notice with all it names."""
    row = db.session.execute(open_data.notices().where(Notice.id == asked["notice"])).first()
    found, version = row or abort(404)
    decided = db.session.scalars(
        select(Objection)
        .join(NoticeItem, NoticeItem.id == Objection.item_id)
        .where(NoticeItem.notice_id == found.id, Objection.state != "open")
        .order_by(NoticeItem.position, Objection.id)
    )
    return open_data.whole_notice(found, version, list(decided))


# ---------------------------------------------------------------- certificates


def _some_certificate() -> str | None:
    return db.session.scalar(select(Certificate.number).order_by(Certificate.id.desc()).limit(1))


@resource(
    bp,
    "/certificates/{number}",
    "一份证书在某一天的状态",
    open_data.CERTIFICATE,
    Parameter(
        "number",
        "证书编号",
        {"type": "string", "pattern": "^SHCP-[0-9]{4}-[0-9]{4,9}$"},
        _some_certificate,
        place="path",
    ),
    Parameter(
        "on",
        "问哪一天，默认今天",
        {"type": "string", "format": "date"},
        lambda: shanghai_day().isoformat(),
    ),
)
def certificate(asked: Asked) -> shape.Json:
    """The status of one certificate on a day."""
    number = normal_number(asked["number"])
    found = check_number(number) if number else None
    if found is None:
        abort(404)
    return open_data.certificate_record(found, asked["on"] or shanghai_day())


# ---------------------------------------------------------------- schemes, policies, rounds


@resource(bp, "/schemes", "全部事项与各自的政策版本", open_data.SCHEMES_ANSWER)
def schemes(asked: Asked) -> shape.Json:
    """Every scheme."""
    versions = all_versions()
    return {"items": [_scheme(scheme, versions.get(scheme, [])) for scheme in SCHEMES]}


@resource(bp, "/schemes/{scheme}", "一个事项与它的政策版本", open_data.SCHEME_OF, SCHEME)
def scheme(asked: Asked) -> shape.Json:
    """One scheme."""
    return _scheme(asked["scheme"], versions_of(asked["scheme"]))


def _scheme(scheme: str, versions: list[Policy]) -> shape.Json:
    return open_data.scheme_record(scheme, versions, governing(versions, shanghai_day()))


def _some_version() -> str | None:
    return db.session.scalar(
        select(Policy.version)
        .where(Policy.scheme == SCHEME.example)
        .order_by(Policy.effective_from.desc())
        .limit(1)
    )


@resource(
    bp,
    "/schemes/{scheme}/versions/{version}",
    "一个政策版本的全部规则",
    open_data.WHOLE_POLICY,
    SCHEME,
    Parameter(
        "version",
        "版本",
        {"type": "string", "pattern": f"^{VERSION.pattern}$"},
        _some_version,
        place="path",
    ),
)
def policy(asked: Asked) -> shape.Json:
    """One version with its document."""
    found = version_named(asked["scheme"], asked["version"])
    return open_data.whole_policy(found) if found is not None else abort(404)


@resource(
    bp, "/rounds", "申报批次，新的在前", shape.page_of(open_data.ROUND), IN_SCHEME, LIMIT, CURSOR
)
def rounds(asked: Asked) -> Response:
    """One page of rounds."""
    statement = open_data.rounds()
    if asked["scheme"]:
        statement = statement.where(Round.scheme == asked["scheme"])
    return listed(asked, statement, Round.id, open_data.round_record)


# ---------------------------------------------------------------- awards, figures


@resource(
    bp,
    "/awards",
    "公示后核定的资金，新的在前",
    shape.page_of(open_data.AWARD),
    IN_SCHEME,
    Parameter("year", "只要这一预算年度的", {"type": "integer", "minimum": 2000, "maximum": 2100}),
    LIMIT,
    CURSOR,
)
def awards(asked: Asked) -> Response:
    """One page of awards."""
    statement = open_data.awards()
    if asked["scheme"]:
        statement = statement.where(Budget.scheme == asked["scheme"])
    if asked["year"]:
        statement = statement.where(Budget.year == asked["year"])
    return listed(asked, statement, Award.id, open_data.award_record)


def _some_award() -> int | None:
    found = open_data.awards().with_only_columns(Award.id)
    return db.session.scalar(found.order_by(Award.id.desc()).limit(1))


@resource(
    bp,
    "/awards/{award}",
    "一笔核定的资金",
    open_data.AWARD,
    key_parameter("award", "核定的号", _some_award),
)
def award(asked: Asked) -> shape.Json:
    """One award."""
    found = db.session.execute(open_data.awards().where(Award.id == asked["award"])).first()
    return open_data.award_record(*found) if found is not None else abort(404)


@resource(bp, "/releases", "核定的资金，按 OCDS 1.1", open_data_ocds.PACKAGE, LIMIT, CURSOR)
def releases(asked: Asked) -> Response:
    """One page of awards as a release package."""
    found, more = paged(asked, open_data.awards(), Award.id, open_data_ocds.release)
    if not found:
        # The standard knows no empty package.
        abort(404)
    path = request.full_path.rstrip("?")
    return linked(as_response(open_data_ocds.package(path, shanghai_day(), found, more)), more)


@resource(
    bp,
    "/files",
    "每日文件，新的在前",
    shape.page_of(DATA_FILE),
    Parameter(
        "dataset", "只要这一数据集的", {"type": "string", "enum": list(files.BY_NAME)}, "listings"
    ),
    LIMIT,
    CURSOR,
)
def all_files(asked: Asked) -> Response:
    """One page of the daily files."""
    statement = select(DataFile)
    if asked["dataset"]:
        statement = statement.where(DataFile.dataset == asked["dataset"])
    return listed(asked, statement, DataFile.id, _file_record)


def _file_record(file: DataFile) -> shape.Json:
    return {
        "name": file.name,
        "dataset": file.dataset,
        "day": day_text(file.day),
        "kind": file.kind,
        "since": day_text(file.since),
        "format": file.format,
        "records": file.records,
        "size": file.document.size,
        "sha256": file.document.sha256,
        "url": path_of("statistics.open_data.file", name=file.name),
    }


@resource(bp, "/overrides", "不予采用的核验项，按政策版本和规则", open_data.OVERRIDES)
def overrides(asked: Asked) -> shape.Json:
    """How often each rule was set aside."""
    return open_data.override_records(overrides_room.figures())


# ---------------------------------------------------------------- the page and its files


@bp.get("/open-data")
@public
def page() -> Any:
    """What there is, how to fetch it, and what each field means."""
    return render_template(
        "statistics/open_data.html",
        datasets=files.DATASETS,
        newest=files.newest(),
        changes=files.CHANGES,
        kind_words=shape.kind_words,
        operations=OPERATIONS,
        certificate=_some_certificate(),
        today=shanghai_day(),
        root=ROOT,
        base=request.url_root.rstrip("/"),
        licence=LICENCE,
    )


@bp.get("/open-data/<name>")
@public
def file(name: str) -> Any:
    """A daily file; a name without its day leads to the newest."""
    found = files.named(name) or abort(404)
    if found.name != name:
        return redirect(url_for(".file", name=found.name), code=302)
    document = found.document
    response = send_file(
        open_document(document),
        mimetype=files.MEDIA_TYPES[found.format],
        as_attachment=True,
        download_name=found.name,
        etag=document.sha256,
        conditional=False,
    )
    response.content_length = document.size
    # A published file never changes.
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response.make_conditional(request)


@bp.get(f"{ROOT}/openapi.json")
@public
def openapi() -> Response:
    """The OpenAPI 3.1 document of all resources."""
    return sent(_document(request.url_root.rstrip("/"), examples()))


# Kept per process: whoever asks by another name of the host, or after an example has changed,
# has it made anew.
@lru_cache(maxsize=8)
def _document(server: str, found: Examples) -> bytes:
    about = About(
        title="创新产品推荐目录开放接口",
        version="1.0.0",
        description=ABOUT,
        server=server,
        licence=LICENCE,
    )
    return dumped(document(about, found))
