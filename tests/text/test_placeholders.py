"""Placeholders of other frameworks are masked, and none stands in another's place."""

from __future__ import annotations

import pytest

from gptkit.encodings.stream import split_lines
from gptkit.text.formats.json import Json
from gptkit.text.formats.markdown import Markdown
from gptkit.text.formats.plain import PlainText
from gptkit.text.masking import COMMON_RULES, MESSAGE_RULES, Rules, mask_text
from gptkit.text.pieces import Finding, Format, Piece

MASKED = [
    ("Laravel", MESSAGE_RULES, "The :attribute must be at least :min.", [":attribute", ":min"]),
    ("Laravel in Chinese", MESSAGE_RULES, ":attribute 不能为空，共 :count 条", [":attribute", ":count"]),
    ("emoji", MESSAGE_RULES, "Well done :smile: at 10:30, C++ std::move, 注意:重要", []),
    ("colon", COMMON_RULES, "Note :attribute", []),
    ("Symfony", COMMON_RULES, "Hello %name%, %user.age%!", ["%name%", "%user.age%"]),
    ("percentages", COMMON_RULES, "50% of users, 20%of 30%or", []),
    ("percent in C", COMMON_RULES, "%s%% and %ld%%", ["%s", "%ld"]),
    ("Qt", COMMON_RULES, "Copy %1 to %2 (%n files, %L3)", ["%1", "%2", "%n", "%L3"]),
    ("Turkish", COMMON_RULES, "Ses düzeyi %5", []),
    ("double underscores", MESSAGE_RULES, "Hello __name__, a__b and ____ stay", ["__name__"]),
    ("bold", COMMON_RULES, "Hello __name__", []),
    ("double brackets", MESSAGE_RULES, "Hello [[name]] and [1]", ["[[name]]"]),
    ("numbered tags", COMMON_RULES, "Read <0>this</0> and <1/>, 3 < 5", ["<0>", "</0>", "<1/>"]),
    (
        "XLIFF",
        COMMON_RULES,
        'A <g id="1">b</g><x id="2"/> <ph id="3">c</ph>',
        ['<g id="1">', "</g>", '<x id="2"/>', '<ph id="3">', "</ph>"],
    ),
]


@pytest.mark.parametrize(("name", "rules", "text", "masks"), MASKED, ids=[one[0] for one in MASKED])
def test_what_is_masked(name: str, rules: Rules, text: str, masks: list[str]) -> None:
    assert mask_text(text, rules)[1] == masks


def piece_of(known: Format, source: str) -> Piece:
    (piece,) = known.pieces(split_lines([source]), 2000)
    return piece


@pytest.mark.parametrize(
    ("known", "source", "answer", "finding"),
    [
        (
            Json(),
            '{"a": "Order %s is %d days late."}',
            "已延迟⟦1⟧天的订单：⟦0⟧。",
            Finding(1, "placeholder", "placeholders '%s %d' are in another order"),
        ),
        (
            PlainText(),
            "Order %s is {} days late.",
            "⟦1⟧ jours de retard : ⟦0⟧.",
            Finding(1, "placeholder", "placeholders '%s {}' are in another order"),
        ),
        (
            Markdown(),
            "Read the [guide](a.md).\nAsk in the [forum](b.md).",
            "阅读[指南](⟦1⟧)。\n请在[论坛](⟦0⟧)提问。",
            Finding(1, "link", "link 'a.md' in another sentence"),
        ),
        (
            PlainText(),
            "Dear {name}, hello. Your code is {code}.",
            "尊敬的⟦1⟧，您好。您的验证码是⟦0⟧。",
            Finding(1, "placeholder", "placeholder '{name}' in another sentence"),
        ),
        (
            Json(),
            '{"a": "Read <0>this</0> now"}',
            "立即阅读⟦1⟧这个⟦0⟧",
            Finding(1, "tag", "tag '</0>' closes nothing there"),
        ),
    ],
)
def test_what_stands_elsewhere_is_found(known: Format, source: str, answer: str, finding: Finding) -> None:
    assert finding in known.findings(piece_of(known, source), answer)


@pytest.mark.parametrize(
    ("known", "source", "answer"),
    [
        (Json(), '{"a": "From %s to %s"}', "从⟦0⟧到⟦1⟧"),
        (Json(), '{"a": "%1$s sent %2$d files"}', "⟦1⟧ Dateien von ⟦0⟧"),
        (PlainText(), "Use {name} with {code}. Then stop.", "把⟦1⟧用于⟦0⟧。然后停止。"),
        (PlainText(), "Dear {name}, hello. Your code is {code}.", "Ihr Code ist ⟦1⟧, ⟦0⟧."),
    ],
)
def test_another_order_in_a_sentence_is_fine(known: Format, source: str, answer: str) -> None:
    assert known.findings(piece_of(known, source), answer) == ()
