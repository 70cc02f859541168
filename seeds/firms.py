"""Invented firms with valid credit codes, a complete profile and products of every kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from stdnum.cn import uscc

from catalogue.accounts.models import User
from catalogue.database import db
from catalogue.enterprises import operations as enterprises
from catalogue.enterprises.models import Enterprise, Membership
from catalogue.products import operations as products
from catalogue.products.models import Product
from catalogue.products.rules import PatentLine, SpecificationLine
from seeds import people


@dataclass(frozen=True)
class Firm:
    """One invented firm: the letters of its code, its name, district and trade."""

    letters: str
    name: str
    english: str
    district: str
    founded: date
    honour: str


SIZES = ("medium", "small", "small", "large", "micro", "medium")
FIRMS = (
    Firm(
        "DEM1K7",
        "示例（上海）微纳装备有限公司",
        "Example Micro-Nano Equipment",
        "310115",
        date(2014, 5, 8),
        "hnte",
    ),
    Firm(
        "DEM0X2",
        "示例（上海）工业软件有限公司",
        "Example Industrial Software",
        "310115",
        date(2016, 3, 1),
        "srdi",
    ),
    Firm(
        "DEM2A5",
        "样例新材（上海）有限公司",
        "Sample New Materials",
        "310116",
        date(2012, 9, 20),
        "little_giant",
    ),
    Firm(
        "DEM3B8",
        "演示海工装备（上海）有限公司",
        "Demo Marine Equipment",
        "310151",
        date(2011, 6, 15),
        "hnte",
    ),
    Firm(
        "DEM4C1",
        "虚构光电（上海）有限公司",
        "Fictional Photonics",
        "310112",
        date(2018, 1, 10),
        "tech_sme",
    ),
    Firm(
        "DEM5D4",
        "演示轨交信号（上海）有限公司",
        "Demo Rail Signalling",
        "310114",
        date(2013, 11, 3),
        "srdi",
    ),
)

# Product names by kind: all invented; enough for every state of the lifecycle.
NAMES = {
    "equipment": (
        "12 英寸介质刻蚀机",
        "等离子体去胶一体机",
        "深水作业机械臂",
        "双臂装配机器人",
        "五轴联动叶片磨床",
        "一次性反应器系统",
        "窄线宽激光切割机",
        "大口径光学检测仪",
        "高速列车轮对检测装备",
        "全自动晶圆清洗机",
        "海上风电安装平台控制系统",
        "手术导航定位系统",
    ),
    "software": (
        "刻蚀工艺仿真软件",
        "产线数字孪生平台",
        "多物理场求解器",
        "工业视觉质检软件",
        "离散排产引擎",
        "总线型数控系统软件",
        "列控仿真软件",
        "工控安全监测平台",
        "工艺数据中台",
        "供应链协同平台",
        "三维装配规划软件",
        "设备预测维护软件",
    ),
    "material": (
        "碳纤维预浸料 T9",
        "电子级氢氟酸",
        "高纯溅射靶材",
        "光刻胶用成膜树脂",
        "高导热氮化铝基板",
        "耐高温聚酰亚胺薄膜",
        "医用钛合金粉末",
        "固态电解质膜",
        "高强度铝锂合金板",
        "超低损耗覆铜板",
        "生物基尼龙切片",
        "气凝胶隔热毡",
    ),
}
DOMAINS = {"equipment": "eq_smart", "software": "sw_industrial", "material": "material"}
PREFIX = {"equipment": "SL-E", "software": "V", "material": "EG-"}


def code_of(firm: Firm) -> str:
    """The firm's credit code: a valid one that no registry has given."""
    body = f"91310115MA0{firm.letters}"
    return body + uscc.calc_check_digit(body)


def seed(password: str) -> list[Enterprise]:
    """All firms; the first demo applicant and signatory belong to the second firm."""
    return [_firm(position, firm, password) for position, firm in enumerate(FIRMS)]


def _firm(position: int, firm: Firm, password: str) -> Enterprise:
    known = enterprises.find_enterprise(code_of(firm))
    if known is not None:
        return known
    own = position == 1
    email = people.address("applicant") if own else f"firm{position + 1}@demo.test"
    clerk = people.account(email, f"经办{position + 1}", "applicant", password)
    enterprise = enterprises.register_enterprise(code_of(firm), firm.name, clerk, "applicant")
    if own:
        signatory = people.staff("signatory")
        enterprises.admit(enterprises.request_to_join(enterprise, signatory, "signatory"), clerk)
    else:
        signer = people.account(
            f"signer{position + 1}@demo.test", f"签章{position + 1}", "signatory", password
        )
        enterprises.admit(enterprises.request_to_join(enterprise, signer, "signatory"), clerk)
    enterprises.update_profile(
        enterprise,
        clerk,
        english_name=f"{firm.english} (Shanghai) Co., Ltd.",
        district=firm.district,
        founded_on=firm.founded,
        size=SIZES[position % len(SIZES)],
        address=f"上海市示范路 {100 + position} 号",
        contact_name=clerk.name,
        contact_phone="021-00000000",
    )
    enterprises.add_honour(enterprise, clerk, firm.honour, date(2024, 12, 1), date(2027, 11, 30))
    enterprises.set_account(
        enterprise, clerk, "示范银行上海分行", firm.name, f"6222020200100{position:02d}5969"
    )
    db.session.commit()
    return enterprise


def clerk_of(enterprise: Enterprise) -> User:
    """The firm's 经办人."""
    return _member(enterprise, "applicant")


def signatory_of(enterprise: Enterprise) -> User:
    """The firm's 签章人."""
    return _member(enterprise, "signatory")


def _member(enterprise: Enterprise, role: str) -> User:
    return db.session.scalars(
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.enterprise_id == enterprise.id, Membership.role == role)
        .order_by(Membership.id)
        .limit(1)
    ).one()


def product(enterprise: Enterprise, kind: str, position: int, year: int) -> Product:
    """The firm's product number ``position`` of a kind, with a valid patent of last year."""
    name = NAMES[kind][position % len(NAMES[kind])]
    model = f"{PREFIX[kind]}{position + 1}" + (".0" if kind == "software" else "00")
    known = db.session.scalar(
        select(Product).where(
            Product.enterprise_id == enterprise.id, Product.name == name, Product.model == model
        )
    )
    if known is not None:
        return known
    return products.create_product(
        enterprise,
        clerk_of(enterprise),
        name=name,
        model=model,
        kind=kind,
        domain=DOMAINS[kind],
        novelty="original" if position % 3 == 0 else "major",
        advancement="intl_adv" if position % 2 == 0 else "dom_lead",
        summary=f"{name}，示例产品：已在两家示范用户处使用，主要指标由第三方检测。",
        first_sold_on=None,
        specifications=(
            SpecificationLine("平均无故障时间", "ge", "310", "h"),
            SpecificationLine("片内均匀性", "le", "2.5", "%"),
            SpecificationLine("工作电压", "eq", "380", "V"),
        ),
        patents=(
            PatentLine(
                "invention",
                f"ZL{year - 2}1{position:07d}.{position % 10}",
                f"一种{name}",
                enterprise.name,
                date(year - 1, 6, 1),
            ),
            PatentLine(
                "copyright",
                f"{year - 1}SR{position:07d}",
                f"{name}V{position + 1}.0",
                enterprise.name,
                date(year - 1, 2, 11),
            ),
        ),
    )
