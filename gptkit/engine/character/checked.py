"""Checks of a JSON answer beyond its schema, so that what fails them is asked for again as well."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from gptkit.chat import Defect, OutputFormat, Rendering
from gptkit.engine.work import Means
from gptkit.errors import Incomplete

Check = Callable[[object], str]
"""Says what is wrong with a value; empty when nothing is."""


def checked(means: Means, check: Check) -> Means:
    """The means, whose structured answers must pass the check too."""
    inner = means.structured
    return means._replace(structured=lambda schema: _Checked(inner(schema), check))


class _Checked:
    streams = False
    rendering: Rendering = "none"

    def __init__(self, inner: OutputFormat, check: Check) -> None:
        self._inner = inner
        self._check = check

    @property
    def parameters(self) -> Mapping[str, object]:
        return self._inner.parameters

    def finish(self, text: str) -> str:
        found = self._inner.finish(text)
        if problem := self._check(json.loads(found)):
            failure = Incomplete(f"the answer cannot be: {problem}")
            raise Defect(f"that cannot be: {problem}", failure, again=True)
        return found
