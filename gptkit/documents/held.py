"""What the memory knows of a piece of a document."""

from typing import NamedTuple

from gptkit.documents.pieces import Finding


class Held(NamedTuple):
    """The accepted answer to a piece, or that it must be asked for in halves.

    `foreign` says that the answer came from another tool: it has yet to be proved.
    """

    answer: str
    findings: tuple[Finding, ...] = ()
    in_halves: bool = False
    foreign: bool = False
