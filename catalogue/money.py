"""Whole fen as people write them: figures, and 大写."""

from __future__ import annotations

DIGITS = "零壹贰叁肆伍陆柒捌玖"
PLACES = ("", "拾", "佰", "仟")
GROUPS = ("", "万", "亿", "万亿")
# The groups above end at 10^16 yuan.
MAX_FEN = 10**18


def money_words(fen: int) -> str:
    """大写金额 of whole fen, such as 壹仟肆佰柒拾万零捌仟玖佰柒拾陆元整.

    Rules: 中国人民银行《正确填写票据和结算凭证的基本规定》. Zeros between digits of the yuan are
    written as one 零; 整 stands after 元 only; 元 is followed by 零 when only 角 is zero. Where the
    rules leave a choice (a zero at 万位 before a digit at 千位; a zero at 元位 before 角) 零 is
    written within the yuan and left out before 角, as in their second example,
    107,000.53 壹拾万零柒仟元伍角叁分. Raises ValueError outside 0 … 10^18 fen.
    """
    if not 0 <= fen < MAX_FEN:
        raise ValueError("the amount cannot be written in words")
    yuan, rest = divmod(fen, 100)
    jiao, odd = divmod(rest, 10)
    words = f"{_whole(yuan)}元" if yuan or not rest else ""
    if not rest:
        return f"{words}整"
    if jiao:
        words += f"{DIGITS[jiao]}角"
    elif yuan:
        words += "零"
    return words + (f"{DIGITS[odd]}分" if odd else "")


def _whole(number: int) -> str:
    if number == 0:
        return DIGITS[0]
    text, words, gap = str(number), [], False
    for index, character in enumerate(text):
        digit, place = int(character), len(text) - 1 - index
        if digit:
            if gap:
                words.append(DIGITS[0])
            words.append(DIGITS[digit] + PLACES[place % 4])
        gap = not digit
        if place % 4 == 0 and place and int(text[max(0, index - 3) : index + 1]):
            words.append(_group(place // 4, text, index))
    return "".join(words)


def _group(group: int, text: str, index: int) -> str:
    # 万亿 before a group of 亿 that is not empty is written 万, since 亿 follows.
    if group == 3 and int(text[index + 1 : index + 5]):
        return GROUPS[1]
    return GROUPS[group]


def money_text(fen: int) -> str:
    """Whole fen as yuan with separators and two decimals: 1,234.50."""
    sign, fen = ("-", -fen) if fen < 0 else ("", fen)
    return f"{sign}{fen // 100:,}.{fen % 100:02d}"
