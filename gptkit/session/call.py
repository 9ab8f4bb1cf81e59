"""One call of a prompt command: what its command line says, and what that means for an exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gptkit.core.errors import CannotWriteError, NoInputError, UsageError
from gptkit.session import answer
from gptkit.session.input import WHOLE, Given, ReadingOptions, gather

if TYPE_CHECKING:
    from gptkit.exchange.capability import Greeting
    from gptkit.history.model import Session
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions
    from gptkit.templates.template import Template, Value


class Call:
    """`values` are those of the prompt file's own parameters and of the options that capabilities add."""

    def __init__(
        self, services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions
    ) -> None:
        self.services = services
        self.template = template
        self.values = values
        self.shared = shared
        self.how = answer.showing(shared)
        self._given: Given | None = None

    @property
    def model(self) -> str:
        return self.shared.model or self.template.model or self.services.settings.text("model")

    def given(self, reading: ReadingOptions = WHOLE, inputs: Sequence[Path] = ()) -> Given:
        """The input, read once; a text of more than `reading.over` bytes is only opened (`Given.long`).
        `inputs` are files that are read beside it: none of them may be the output.

        Raises CannotWriteError and UsageError first for an output that cannot be written: an answer that goes
        nowhere is not paid for.
        """
        if self._given is None:
            self._check_output(inputs)
            services = self.services
            own = [one.read_input for one in services.capabilities_of(self.template) if one.read_input]
            wait = services.settings.number("stdin_wait")
            self._given = (
                own[0](self)
                if own
                else gather(services.terminal, self.template, self.values, self.shared, wait, reading)
            )
        return self._given

    def session(self) -> Session | None:
        """The conversation to go on with: the one that the command line names, or the command's own."""
        name, latest = self.shared.session, self.shared.continue_
        if name is None and not latest:
            return self._own_session()
        if name is not None and latest:
            raise UsageError("--session and --continue do not go together")
        if self.shared.no_log:
            raise UsageError(f"--no-log and {'--continue' if latest else '--session'} do not go together")
        if name is not None:
            return self._named(name)
        found = self.services.history.latest_session()
        if found is None:
            raise NoInputError("there is no conversation to continue")
        return found

    def greeting(self) -> Greeting | None:
        """What a new conversation begins with."""
        for capability in self.services.capabilities_of(self.template):
            if capability.greeting is not None:
                found = capability.greeting(self.services, self.template, self.values)
                return cast("Greeting | None", found)
        return None

    def _own_session(self) -> Session | None:
        """The one that a command has by itself. Where none can be begun the answer does not suffer for it."""
        names = [one.session_name for one in self.services.capabilities_of(self.template) if one.session_name]
        own = names[0](self.template, self.values) if names else ""
        if not own or self.shared.no_log or not self.services.settings.boolean("log"):
            return None
        try:
            return self._named(own)
        except CannotWriteError:  # the record of the exchange tells it
            return None

    def _named(self, name: str) -> Session | None:
        from gptkit.history.names import session_name as valid

        found = self.services.history.find_session(name)
        named = name if found else valid(name)
        return found or (None if self.shared.dry_run else self._begun(named))

    def _begun(self, name: str) -> Session:
        """A new conversation, or the one that another process has begun in the meantime."""
        try:
            return self.services.history.create(name, self.template.name)
        except UsageError:
            found = self.services.history.find_session(name)
            if found is None:
                raise
            return found

    @property
    def inputs(self) -> list[Path]:
        """The files that the command line names to be read."""
        kinds = {one.variable for one in self.template.declared_parameters if one.kind == "file"}
        named = [Path(str(value)) for name, value in self.values.items() if name in kinds and value]
        return [*self.shared.file, *named]

    def _check_output(self, inputs: Sequence[Path]) -> None:
        terminal, output = self.services.terminal, self.how.output
        if output is not None:
            answer.check(terminal, output, [*self.inputs, *inputs])
        elif terminal.stdout_is_closed:
            raise CannotWriteError("standard output: it is closed")
