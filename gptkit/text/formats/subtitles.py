"""SubRip and WebVTT subtitles: only the spoken text is translated."""

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
LETTER = re.compile(r"[^\W\d_]")


def _brace_rule(text: str, start: int, context: Context) -> Span | None:
    match = OVERRIDE.match(text, start)
    return match.span() if match else COMMON_RULES["{"](text, start, context)


def _angle_rule(text: str, start: int, context: Context) -> Span | None:
    match = TIME_TAG.match(text, start) or VOICE.match(text, start)
    return match.span() if match else COMMON_RULES["<"](text, start, context)


class _Subtitles(UnitFormat):
    blank_lines: ClassVar[bool]  # whether a cue goes on behind an empty line, as for players of SubRip
    rules: ClassVar[Rules] = {**COMMON_RULES, "{": _brace_rule, "<": _angle_rule}

    def segments(self, lines: Iterable[str]) -> Iterator[Segment]:
        head: list[str] = []  # the lines since the last cue, up to the timing
        spoken: list[str] = []
        in_cue = False
        for line in lines:
            if TIMING.match(line):
                number = [spoken.pop()] if spoken and NUMBER.match(spoken[-1]) else []
                if in_cue and spoken:
                    yield _cue(head, spoken)
                    head, spoken = [], []
                head += [*number, line]
                in_cue = True
            elif in_cue and line.strip():
                spoken.append(line)
            else:
                if spoken:
                    yield _cue(head, spoken)
                    head, spoken = [], []
                head.append(line)
                in_cue = in_cue and self.blank_lines
                if len(head) > 100:
                    yield Segment("".join(head))
                    head = []
        if spoken:
            yield _cue(head, spoken)
        elif head:
            yield Segment("".join(head))

    def encode_text(self, literal: str, text: str, syntax: str) -> str:
        """Remove empty lines, which would end the cue, and arrows, which would make a line a timing."""
        lines = [line.rstrip() for line in text.replace("-->", "->").split("\n") if line.strip()]
        return syntax.join(lines) if lines else literal

    def split_segment(self, segment: Segment) -> tuple[Segment, Segment] | None:
        literal = segment.source[segment.start : segment.end]
        atoms = ATOM.findall(literal)
        cut = segment.start + len("".join(atoms[: find_middle(atoms)])) if len(atoms) > 1 else segment.start
        if cut == segment.start or segment.source[cut - 1] == "\r":
            return None
        first, rest = segment.source[:cut], segment.source[cut:]
        return (
            segment._replace(source=first, text=_unify_line_ends(first[segment.start :]), end=cut),
            segment._replace(
                source=rest, text=_unify_line_ends(rest[: segment.end - cut]), start=0, end=segment.end - cut
            ),
        )


class SubRip(_Subtitles):
    name = "srt"
    blank_lines = True

    def recognises(self, head: str) -> bool:
        lines = head.lstrip("\ufeff \t\r\n").splitlines()
        return len(lines) > 1 and NUMBER.match(lines[0]) is not None and TIMING.match(lines[1]) is not None


class WebVtt(_Subtitles):
    name = "vtt"
    blank_lines = False

    def recognises(self, head: str) -> bool:
        return re.match(r"\ufeff?WEBVTT(?:[ \t\r\n]|\Z)", head) is not None


def _cue(head: list[str], spoken: list[str]) -> Segment:
    source, body = "".join(head), "".join(spoken)
    inner = body.rstrip("\r\n")
    end = "\r\n" if "\r\n" in body or source.endswith("\r\n") else "\r" if source.endswith("\r") else "\n"
    text = _unify_line_ends(inner)
    return Segment(
        source + body,
        text if LETTER.search(text) else "",
        len(source),
        len(source) + len(inner),
        end,
    )


def _unify_line_ends(literal: str) -> str:
    return "\n".join(literal.replace("\r\n", "\n").split("\r"))
