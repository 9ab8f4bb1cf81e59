"""Pipes get the exact text, terminals a harmless one, buffers keep it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptkit.core.chat import AnswerDelta, Event, Finished, ReasoningDelta, RefusalDelta
from gptkit.output.sinks import PipeSink, PlainSink

STOP = Finished("stop")


def piped(*events: Event) -> list[str]:
    written: list[str] = []
    sink = PipeSink(written.append)
    for event in events:
        sink(event)
    sink.close()
    sink.close()
    return written


def plain(*events: Event) -> str:
    written: list[str] = []
    sink = PlainSink(written.append)
    for event in events:
        sink(event)
    sink.close()
    sink.close()
    return "".join(written)


@pytest.mark.parametrize(
    ("events", "written"),
    [
        ((AnswerDelta("one "), AnswerDelta("two"), STOP), ["one ", "two", "\n"]),
        ((AnswerDelta("one\n"), STOP), ["one\n"]),
        ((AnswerDelta("one\n\n"), STOP), ["one\n\n"]),
        ((AnswerDelta("\x1b[31m\r\ntab\t  "), STOP), ["\x1b[31m\r\ntab\t  ", "\n"]),
        ((AnswerDelta("中文"), AnswerDelta(""), STOP), ["中文", "\n"]),
        ((STOP,), []),
        ((AnswerDelta(""), STOP), []),
        ((ReasoningDelta("hm"), RefusalDelta("no"), STOP), []),
        ((AnswerDelta("a"), ReasoningDelta("hm"), AnswerDelta("b"), STOP), ["a", "b", "\n"]),
        ((AnswerDelta("a\ud800b"), STOP), ["a\ufffdb", "\n"]),
        ((AnswerDelta("cut sho"),), ["cut sho"]),
        ((AnswerDelta("cut sho"), Finished(None)), ["cut sho"]),
        ((AnswerDelta("cut at a limit"), Finished("length")), ["cut at a limit"]),
    ],
)
def test_a_pipe_gets_what_came(events: tuple[Event, ...], written: list[str]) -> None:
    assert piped(*events) == written


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_a_pipe_gets_every_byte(pieces: list[str]) -> None:
    text = "".join(pieces)
    expected = text if not text or text.endswith("\n") else text + "\n"
    assert "".join(piped(*map(AnswerDelta, pieces), STOP)) == expected


@pytest.mark.parametrize(
    ("events", "written"),
    [
        ((AnswerDelta("one "), AnswerDelta("two"), STOP), "one two\n"),
        ((AnswerDelta("one\n"), STOP), "one\n"),
        ((STOP,), ""),
        ((AnswerDelta("\x1b]0;title\x07 \u202e"), STOP), "␛]0;title␇ <U+202E>\n"),
        ((AnswerDelta("a\r"), AnswerDelta("\nb"), STOP), "a\nb\n"),
        ((AnswerDelta("a\r"), STOP), "a␍\n"),
        ((AnswerDelta("**[red]x[/]**"), STOP), "**[red]x[/]**\n"),
        ((AnswerDelta("cut sho"),), "cut sho\n"),
        ((ReasoningDelta("hm\x1b"), RefusalDelta("no"), STOP), ""),
    ],
)
def test_a_terminal_gets_plain_text_that_does_nothing(events: tuple[Event, ...], written: str) -> None:
    assert plain(*events) == written
