"""Which elements of HTML are open, and whether what they hold is to be translated."""

from __future__ import annotations

from collections import defaultdict

from gptkit.documents.formats.html_reader import CLOSE, START

VOID = frozenset(
    {
        *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source"),
        *("track", "wbr"),
    }
)
_BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "center", "details", "dialog", "dir", "div", "dl"),
        *("fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header"),
        *("hgroup", "hr", "main", "menu", "nav", "ol", "p", "pre", "search", "section", "summary", "table"),
        "ul",
    }
)
_ENDED_BY = {
    **dict.fromkeys(_BLOCKS, ("p",)),
    "li": ("li", "p"),
    **dict.fromkeys(("dt", "dd"), ("dt", "dd", "p")),
    **dict.fromkeys(("td", "th"), ("td", "th")),
    "tr": ("td", "th", "tr"),
    **dict.fromkeys(("thead", "tbody", "tfoot"), ("td", "th", "tr", "thead", "tbody", "tfoot")),
    "option": ("option",),
    "optgroup": ("option", "optgroup"),
    **dict.fromkeys(("rt", "rp"), ("rt", "rp")),
}
"""Elements that a start tag closes where their end tags were left out."""
_FENCES = frozenset(
    {
        *("applet", "button", "caption", "html", "marquee", "object", "ol", "ruby", "select", "table", "td"),
        *("body", "dl", "math", "menu", "svg", "template", "th", "ul"),
    }
)
"""Elements out of which no start tag closes another."""
DEEPEST = 512
"""Elements within one another that are told apart, as in browsers."""


class OpenElements:
    """Follows the tags of a document.

    Attributes:
        kept: whether what stands here is to stay as it is.
        ruled_by: how many elements are around the one that says so; -1 where none does.
    """

    def __init__(self) -> None:
        self.kept = False
        self.ruled_by = -1
        self._names: list[str] = []
        self._count: dict[str, int] = defaultdict(int)
        self._rulers: list[int] = []  # each of them says otherwise than the one around it

    @property
    def depth(self) -> int:
        return len(self._names)

    def follow(self, kind: int, name: str, kept: bool | None) -> None:
        """`kept` is whether the element asks for it; None where it says nothing."""
        if kind == START and name not in VOID:
            self._opened(name, kept)
        elif kind == CLOSE and self._count[name]:
            if self._names[-1] == name and self.ruled_by < len(self._names) - 1:
                self._names.pop()
                self._count[name] -= 1
            else:
                self._closed(name)

    def _opened(self, name: str, kept: bool | None) -> None:
        if name in _ENDED_BY:
            for ended in _ENDED_BY[name]:
                if self._count[ended]:
                    self._end(ended)
        if len(self._names) >= DEEPEST:
            return
        self._names.append(name)
        self._count[name] += 1
        if kept is not None and kept != self.kept:
            self._rulers.append(len(self._names) - 1)
            self._rule()

    def _closed(self, name: str) -> None:
        while True:
            last = self._names.pop()
            self._count[last] -= 1
            if self._rulers and self._rulers[-1] == len(self._names):
                self._rulers.pop()
                self._rule()
            if last == name:
                return

    def _end(self, name: str) -> None:
        """Closes the nearest of a name, unless something fences off what stands in it."""
        for open_name in reversed(self._names):
            if open_name == name:
                self._closed(name)
                return
            if open_name in _FENCES:
                return

    def _rule(self) -> None:
        self.kept = len(self._rulers) % 2 == 1
        self.ruled_by = self._rulers[-1] if self._rulers else -1
