"""One result for each of the files of folders, one file after the other."""

from __future__ import annotations

import json
from pathlib import Path

from gptkit.cli.exchange import Conversation
from gptkit.cli.gather import Given, document
from gptkit.cli.long.consent import Consent
from gptkit.cli.long.mirror import Results
from gptkit.cli.long.reduce import ANSWERED, Task
from gptkit.cli.long.setup import READ_WHOLE, opened
from gptkit.cli.long.walk import Plan, Work
from gptkit.errors import CannotRead, CannotWrite, DataFault, GptkitError, Incomplete, NoInput, Refused

OF_ONE_FILE = (DataFault, NoInput, CannotRead, Incomplete, Refused)
"""What is wrong with a file or its result, and says nothing of the others."""


def run(conversation: Conversation, given: Given, found: Plan) -> int:
    """Work through the files; returns the exit code."""
    results = Results(found)
    failure: GptkitError | None = None
    path = given.values.get("report")
    rest = {name: value for name, value in given.values.items() if name != "report"}
    work = _Work(conversation, given._replace(values=rest), found)
    if conversation.flags.get("dry_run"):
        work.show_forecasts()
        return 0
    try:
        for number, one in enumerate(found.work):
            results.put(number, *work.done(one))
    except GptkitError as error:
        failure = error
        failure.hint = failure.hint or "the same command goes on where this one stopped"
    failure = failure or results.failure()
    results.tell(conversation, path)
    if failure is None:
        return 0
    conversation.services.terminal.report(failure, as_json=conversation.how.as_json)
    return failure.code


class _Work:
    """What the files have in common: the budget, and what the user agreed to."""

    def __init__(self, conversation: Conversation, given: Given, found: Plan) -> None:
        self._conversation = conversation
        self._given = given
        self._found = found
        agreed = bool(given.values.get("yes")) or conversation.flags.get("max_cost") is not None
        size = sum(one.size for one in found.work)
        self._consent = Consent(conversation.services, conversation.model, size, agreed, ANSWERED)

    def done(self, one: Work) -> tuple[str, GptkitError | None]:
        """What became of a file."""
        before = _status(one.target)
        try:
            one.target.parent.mkdir(parents=True, exist_ok=True)
            failure = self._task(one).failure()
        except OF_ONE_FILE as error:
            failure = error
        except OSError as error:
            failure = CannotWrite(f"cannot write '{one.target}': {(error.strerror or str(error)).lower()}")
        if failure is not None:
            if not isinstance(failure, OF_ONE_FILE):
                raise failure
            return "not done", failure
        return "unchanged" if before is not None and _status(one.target) == before else "written", None

    def show_forecasts(self) -> None:
        files: list[object] = []
        for one in self._found.work:
            try:
                files.append({"file": str(one.path), **json.loads(self._task(one).forecast())})
            except OF_ONE_FILE as error:
                files.append({"file": str(one.path), "why": error.message})
        text = json.dumps({"files": files}, ensure_ascii=False, indent=2)
        self._conversation.services.terminal.show(text)

    def _task(self, one: Work) -> Task:
        general = self._conversation
        flags = {**general.flags, "output": one.target, "json": False}
        own = Conversation(general.services, general.template, flags)
        own.budget = general.budget
        encoding = flags.get("encoding")
        text = document(str(one.path), READ_WHOLE, None if encoding is None else str(encoding))
        return Task(own, self._given, opened(text, self._given.values, is_file=True), self._consent)


def _status(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
