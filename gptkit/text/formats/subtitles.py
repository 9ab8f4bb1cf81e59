"""SubRip and WebVTT subtitles: what is said; numbers, times, settings and comments stay as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

from gptkit.text.formats.units import Segment, UnitFormat, find_middle
from gptkit.text.masking import ATOM, COMMON_RULES, Context, Rules, Span

TIME = r"(?:[0-9]+:)?[0-9]{1,2}:[0-9]{1,2}[,.][0-9]{1,3}"
TIMING = re.compile(rf"[ \t]*{TIME}[ \t]*-->[ \t]*{TIME}(?:[ \t].*)?[\r\n]*\Z")
NUMBER = re.compile(r"\ufeff?[ \t]*[0-9]+[ \t]*[\r\n]*\Z")
OVERRIDE = re.compile(r"\{\\[^{}\n]*\}")
TIME_TAG = re.compile(r"<(?:[0-9]+:)?[0-9]{2}:[0-9]{2}\.[0-9]{3}>")
VOICE = re.compile(r"</?(?:v|c|lang|ruby|rt|b|i|u)(?:[.\s][^<>]*)?>")
SAID = re.compile(r"[^\W\d_]")


def _brace(text: str, start: int, context: Context) -> Span | None:
    found = OVERRIDE.match(text, start)
    return found.span() if found else COMMON_RULES["{"](text, start, context)


def _angle(text: str, start: int, context: Context) -> Span | None:
    found = TIME_TAG.match(text, start) or VOICE.match(text, start)
    return found.span() if found else COMMON_RULES["<"](text, start, context)


class _Subtitles(UnitFormat):
    blank_lines: ClassVar[
        bool
    ]  # whether what follows an empty line may still be said: players of SubRip show it
    rules: ClassVar[Rules] = {**COMMON_RULES, "{": _brace, "<": _angle}

    def segments(self, lines: Iterable[str]) -> Iterator[Segment]:
        head: list[str] = []  # since the last cue: all up to and with the timing
        said: list[str] = []
        within = False
        for line in lines:
            if TIMING.match(line):
                number = [said.pop()] if said and NUMBER.match(said[-1]) else []
                if within and said:
                    yield _cue(head, said)
                    head, said = [], []
                head += [*number, line]
                within = True
            elif within and line.strip():
                said.append(line)
            else:
                if said:
                    yield _cue(head, said)
                    head, said = [], []
                head.append(line)
                within = within and self.blank_lines
                if len(head) > 100:
                    yield Segment("".join(head))
                    head = []
        if said:
            yield _cue(head, said)
        elif head:
            yield Segment("".join(head))

    def encode_text(self, literal: str, text: str, syntax: str) -> str:
        """A line of a cue must not be empty, which would end it, nor hold an arrow, which makes it a time."""
        kept = [line.rstrip() for line in text.replace("-->", "->").split("\n") if line.strip()]
        return syntax.join(kept) if kept else literal

    def split_segment(self, segment: Segment) -> tuple[Segment, Segment] | None:
        literal = segment.source[segment.start : segment.end]
        atoms = ATOM.findall(literal)
        cut = segment.start + len("".join(atoms[: find_middle(atoms)])) if len(atoms) > 1 else segment.start
        if cut == segment.start or segment.source[cut - 1] == "\r":
            return None
        first, rest = segment.source[:cut], segment.source[cut:]
        return (
            segment._replace(source=first, text=_joined(first[segment.start :]), end=cut),
            segment._replace(
                source=rest, text=_joined(rest[: segment.end - cut]), start=0, end=segment.end - cut
            ),
        )


class SubRip(_Subtitles):
    name = "srt"
    endings = (".srt",)
    blank_lines = True

    def recognises(self, head: str) -> bool:
        lines = head.lstrip("\ufeff \t\r\n").splitlines()
        return len(lines) > 1 and NUMBER.match(lines[0]) is not None and TIMING.match(lines[1]) is not None


class WebVtt(_Subtitles):
    name = "vtt"
    endings = (".vtt",)
    blank_lines = False

    def recognises(self, head: str) -> bool:
        return re.match(r"\ufeff?WEBVTT(?:[ \t\r\n]|\Z)", head) is not None


def _cue(head: list[str], said: list[str]) -> Segment:
    source, body = "".join(head), "".join(said)
    inner = body.rstrip("\r\n")
    end = "\r\n" if "\r\n" in body or source.endswith("\r\n") else "\r" if source.endswith("\r") else "\n"
    text = _joined(inner)
    return Segment(
        source + body,
        text if SAID.search(text) else "",
        len(source),
        len(source) + len(inner),
        end,
    )


def _joined(literal: str) -> str:
    return "\n".join(literal.replace("\r\n", "\n").split("\r"))
