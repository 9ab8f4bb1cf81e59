"""Pipes get the exact text, terminals a harmless one, buffers keep it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptkit.core.chat import Event, Finished, Reasoning, Refusal, Text
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
        ((Text("one "), Text("two"), STOP), ["one ", "two", "\n"]),
        ((Text("one\n"), STOP), ["one\n"]),
        ((Text("one\n\n"), STOP), ["one\n\n"]),
        ((Text("\x1b[31m\r\ntab\t  "), STOP), ["\x1b[31m\r\ntab\t  ", "\n"]),
        ((Text("中文"), Text(""), STOP), ["中文", "\n"]),
        ((STOP,), []),
        ((Text(""), STOP), []),
        ((Reasoning("hm"), Refusal("no"), STOP), []),
        ((Text("a"), Reasoning("hm"), Text("b"), STOP), ["a", "b", "\n"]),
        ((Text("a\ud800b"), STOP), ["a\ufffdb", "\n"]),
        ((Text("cut sho"),), ["cut sho"]),
        ((Text("cut sho"), Finished(None)), ["cut sho"]),
        ((Text("cut at a limit"), Finished("length")), ["cut at a limit"]),
    ],
)
def test_a_pipe_gets_what_came(events: tuple[Event, ...], written: list[str]) -> None:
    assert piped(*events) == written


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_a_pipe_gets_every_byte(pieces: list[str]) -> None:
    text = "".join(pieces)
    expected = text if not text or text.endswith("\n") else text + "\n"
    assert "".join(piped(*map(Text, pieces), STOP)) == expected


@pytest.mark.parametrize(
    ("events", "written"),
    [
        ((Text("one "), Text("two"), STOP), "one two\n"),
        ((Text("one\n"), STOP), "one\n"),
        ((STOP,), ""),
        ((Text("\x1b]0;title\x07 \u202e"), STOP), "␛]0;title␇ <U+202E>\n"),
        ((Text("a\r"), Text("\nb"), STOP), "a\nb\n"),
        ((Text("a\r"), STOP), "a␍\n"),
        ((Text("**[red]x[/]**"), STOP), "**[red]x[/]**\n"),
        ((Text("cut sho"),), "cut sho\n"),
        ((Reasoning("hm\x1b"), Refusal("no"), STOP), ""),
    ],
)
def test_a_terminal_gets_plain_text_that_does_nothing(events: tuple[Event, ...], written: str) -> None:
    assert plain(*events) == written
