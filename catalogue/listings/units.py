"""Units: which of them measure the same, and how many of the family's first one each holds.

A small table of the units that this catalogue meets; what it does not know is its own family, so
that equal units still compare. Values in, values out.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

# Each line: a family, then unit=size. Chinese names and what people type stand beside.
_TABLE = """
length m=1 米=1 dm=0.1 cm=0.01 厘米=0.01 mm=0.001 毫米=0.001 μm=1e-6 um=1e-6 微米=1e-6 nm=1e-9
length 纳米=1e-9 Å=1e-10 km=1000 千米=1000 公里=1000 英寸=0.0254 inch=0.0254
area m2=1 平方米=1 ㎡=1 cm2=1e-4 mm2=1e-6 km2=1e6
volume m3=1 立方米=1 方=1 L=0.001 升=0.001 mL=1e-6 毫升=1e-6 cm3=1e-6
mass kg=1 公斤=1 千克=1 g=0.001 克=0.001 mg=1e-6 毫克=1e-6 μg=1e-9 t=1000 吨=1000
pressure Pa=1 帕=1 kPa=1e3 千帕=1e3 MPa=1e6 兆帕=1e6 GPa=1e9 bar=1e5 巴=1e5 mbar=100
pressure psi=6894.757293168 atm=101325 mmHg=133.322387415
power W=1 瓦=1 mW=0.001 kW=1e3 千瓦=1e3 MW=1e6 兆瓦=1e6 GW=1e9
apparent_power VA=1 V·A=1 kVA=1e3 kV·A=1e3 千伏安=1e3 MVA=1e6 MV·A=1e6 兆伏安=1e6
energy J=1 kJ=1e3 MJ=1e6 Wh=3600 W·h=3600 kWh=3.6e6 kW·h=3.6e6 千瓦时=3.6e6 度电=3.6e6 MWh=3.6e9
time s=1 秒=1 sec=1 ms=0.001 毫秒=0.001 μs=1e-6 us=1e-6 微秒=1e-6 ns=1e-9 min=60 分钟=60 分=60
time h=3600 hr=3600 小时=3600 时=3600 d=86400 天=86400 日=86400
frequency Hz=1 赫兹=1 kHz=1e3 MHz=1e6 GHz=1e9
voltage V=1 伏=1 mV=0.001 kV=1e3 千伏=1e3 MV=1e6
current A=1 安=1 mA=0.001 μA=1e-6 kA=1e3
resistance Ω=1 欧=1 mΩ=0.001 kΩ=1e3 MΩ=1e6
force N=1 牛=1 kN=1e3 MN=1e6
torque N·m=1 Nm=1 kN·m=1e3 kNm=1e3
share %=1 ‰=0.1 ppm=1e-4 ppb=1e-7
data B=1 KB=1024 MB=1048576 GB=1073741824 TB=1099511627776
temperature ℃=1 °C=1 摄氏度=1 度=1
rotation rpm=1 r/min=1 转/分=1 转/分钟=1
power_level dB=1 分贝=1
pieces 片=1 件=1 个=1 台=1 套=1 次=1 张=1 枚=1 只=1 支=1 人份=1 pcs=1 wafers=1
"""


@dataclass(frozen=True, slots=True)
class Unit:
    """What a unit measures, and how many of the family's first unit it holds."""

    family: str
    size: Decimal


def _table() -> dict[str, Unit]:
    table: dict[str, Unit] = {}
    for line in _TABLE.split("\n"):
        family, *units = line.split() or ("",)
        for each in units:
            sign, _, size = each.rpartition("=")
            table[_plain(sign)] = Unit(family, Decimal(size))
    # Pieces an hour have a name of their own in the semiconductor trade.
    table["wph"] = Unit("pieces/time", Decimal(1) / 3600)
    return table


def _plain(sign: str) -> str:
    """One spelling: no space, one sign for micro and for the dot, raised figures as figures."""
    text = unicodedata.normalize("NFKC", sign).replace("µ", "μ").replace("^", "")
    return "".join(text.split()).replace("*", "·").replace("•", "·").replace("⋅", "·")


UNITS = _table()
# Capitals that people drop or add, where only one unit can be meant.
_BY_LOWER: dict[str, list[str]] = {}
for _sign in UNITS:
    _BY_LOWER.setdefault(_sign.lower(), []).append(_sign)


@lru_cache(maxsize=2_000)
def unit_of(sign: str) -> Unit:
    """The unit a sign stands for; an unknown sign is a family of its own."""
    text = _plain(sign)
    if found := known(text):
        return found
    if text[:1] in ("万", "亿") and (found := known(text[1:])):
        return Unit(found.family, found.size * (10**4 if text[0] == "万" else 10**8))
    above, slash, below = text.partition("/")
    if slash and below:
        over, under = unit_of(above) if above else Unit("pieces", Decimal(1)), unit_of(below)
        return Unit(f"{over.family}/{under.family}", over.size / under.size)
    return Unit(text.lower(), Decimal(1))


def known(sign: str) -> Unit | None:
    """A unit of the table, however its capitals were typed as long as only one is meant."""
    text = _plain(sign)
    if text in UNITS:
        return UNITS[text]
    alike = _BY_LOWER.get(text.lower(), [])
    # mpa can only be MPa here, but M is never milli.
    if len(alike) != 1 or (text[:1] == "M" and alike[0][:1] == "m"):
        return None
    return UNITS[alike[0]]


def amounts(number: str, sign: str) -> tuple[str, ...]:
    """One word for an amount however it is written: 2 MPa and 20 bar share one.

    Two words when capitals were lost and mattered (16 mw); none when the unit is not known.
    """
    ten_thousands = {"万": 10**4, "亿": 10**8}.get(sign[:1], 1)
    text = _plain(sign if ten_thousands == 1 else sign[1:])
    found = [UNITS[text]] if text in UNITS else []
    found += [UNITS[each] for each in _BY_LOWER.get(text.lower(), ()) if each != text]
    values = {(unit.family, Decimal(number) * unit.size * ten_thousands) for unit in found}
    return tuple(sorted(f"{family}:{value.normalize():f}" for family, value in values))


def plain(value: Decimal) -> str:
    """A number without an exponent and without idle zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
