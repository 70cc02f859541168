"""Words: the same product is found however its name or number is typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.listings import words

NAME = "12 英寸介质刻蚀机 SL－E300"


@pytest.mark.parametrize(
    "typed", ["SL-E300", "sl-e300", "ＳＬ－Ｅ３００", "sle300", "SL_E300", "sl‑e300", "SL.E300"]
)
def test_model_number_is_one_key_without_case_width_and_hyphen(typed: str) -> None:
    (term,) = words.question(typed)
    assert term.key == "sle300"
    assert "sle300" in words.model_tokens("SL-E300", "")
    assert "sle300" in words.model_tokens("", NAME)


def test_model_number_typed_with_spaces_is_one_key_too() -> None:
    assert words.whole_key(words.question("sl e 300")) == "sle300"
    assert words.whole_key(words.question("刻蚀 e300")) == ""
    assert words.whole_key(words.question("e300")) == ""


def test_model_number_is_found_from_its_third_sign_on() -> None:
    tokens = words.model_tokens("SL-E300", "")
    assert {"sle", "sle3", "sle30", "sle300"} == set(tokens)


def test_search_mode_keeps_long_words_and_their_parts() -> None:
    assert {"燃气轮机", "燃气", "轮机"} <= set(words.word_tokens("重型燃气轮机"))


def test_signs_are_the_fallback() -> None:
    assert words.sign_tokens("刻蚀机 E300") == ["刻", "蚀", "机", "e300"]


@pytest.mark.parametrize("typed", ["keshi", "ks", "keshiji", "jzks", "jiezhikeshi"])
def test_pinyin_in_full_and_by_initials(typed: str) -> None:
    assert typed in words.pinyin_tokens(NAME)


def test_one_syllable_is_no_pinyin_token() -> None:
    assert "ji" not in words.pinyin_tokens("机")
    assert "j" not in words.pinyin_tokens("机")


def test_marks_stand_in_the_original_text_even_when_folding_changes_its_length() -> None:
    name = "㎡级ＳＬ－Ｅ３００刻蚀机"
    (term,) = words.question("sle300")
    assert words.pieces(name, words.spans(name, term)) == [
        ("㎡级", False),
        ("ＳＬ－Ｅ３００", True),
        ("刻蚀机", False),
    ]


def test_pinyin_marks_the_words_that_sound_so() -> None:
    assert words.pieces(NAME, words.spoken_spans(NAME, "keshi"))[1] == ("刻蚀", True)
    assert words.spoken_spans(NAME, "bianyaqi") == []


def test_overlapping_marks_become_one() -> None:
    assert words.pieces("abcd", [(0, 2), (1, 3)]) == [("abc", True), ("d", False)]


def test_a_question_of_punctuation_has_no_terms() -> None:
    assert words.question("，。！？ -- ()") == ()


def test_terms_are_bounded() -> None:
    assert len(words.question(" ".join(f"词{n}" for n in range(99)))) <= words.MAX_TERMS


@given(st.text(max_size=60), st.text(max_size=12))
def test_any_text_is_cut_into_pieces_that_join_to_itself(text: str, typed: str) -> None:
    hits = [hit for term in words.question(typed) for hit in words.spans(text, term)]
    assert "".join(piece for piece, _ in words.pieces(text, hits)) == text


@given(st.text(max_size=80))
def test_tokens_never_hold_white_space(text: str) -> None:
    tokens = [
        *words.word_tokens(text),
        *words.sign_tokens(text),
        *words.pinyin_tokens(text),
        *words.model_tokens(text, text),
    ]
    assert all(token and not any(sign.isspace() for sign in token) for token in tokens)


def test_a_number_and_its_unit_are_one_term_however_they_are_spaced() -> None:
    (bar,), (mega,) = words.question("20 bar"), words.question("2ＭＰａ")
    assert (bar.text, bar.words) == ("20bar", ("20", "bar"))
    assert bar.amounts == mega.amounts != ()
    assert set(words.amount_tokens("工作压力 2.0 MPa")) == set(bar.amounts)
    assert len(words.question("16mw")[0].amounts) == 2, "without capitals mW and MW are meant"
    texts = [term.text for term in words.question("25兆瓦海上风电 3方面 LNG-20bar A4")]
    assert texts == ["25兆瓦", "海上风电", "3", "方面", "lng-20bar", "a4"]
