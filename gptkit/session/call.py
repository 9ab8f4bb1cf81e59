"""The call of a prompt command: its options, its input, and the conversation that it continues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gptkit.core.errors import CannotWriteError, NoInputError, UsageError
from gptkit.session import answer
from gptkit.session.answer_form import with_answer_form
from gptkit.session.input import WHOLE, PromptInput, ReadingOptions, read_input, with_system_text

if TYPE_CHECKING:
    from gptkit.exchange.capability import Greeting
    from gptkit.history.model import Session
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions
    from gptkit.templates.template import Template, Value


class Call:
    """One call of a prompt command.

    `values` are those of the prompt file's parameters and of the options that capabilities add.
    """

    def __init__(
        self, services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions
    ) -> None:
        self.services = services
        self.template = with_answer_form(template, shared, services.capabilities_of(template))
        self.values = with_system_text(template, values, shared.encoding)
        self.shared = shared
        self.display = answer.display_options(shared)
        self._input: PromptInput | None = None
        if shared.attach:
            from gptkit.session.attachments import check_attachments

            check_attachments(shared.attach, template)

    @property
    def model(self) -> str:
        return self.services.model_name(self.shared.model, self.template.model)

    def read_input(self, reading: ReadingOptions = WHOLE, other_paths: Sequence[Path] = ()) -> PromptInput:
        """Read the input, once; a text of more than `reading.long_above` bytes is only opened
        (`PromptInput.long`).

        First raises CannotWriteError or UsageError for an output that cannot be written, so that no answer is
        paid for that goes nowhere. `other_paths` are files that must not be the output either.
        """
        if self._input is None:
            self._check_output(other_paths)
            services = self.services
            own = [one.read_input for one in services.capabilities_of(self.template) if one.read_input]
            self._input = (
                own[0](self)
                if own
                else read_input(
                    services.terminal, self.template, self.values, self.shared, services.settings, reading
                )
            )
            if self.shared.attach:
                from gptkit.session.attachments import read_attachments

                attachments = read_attachments(self.shared.attach, self.template, services.terminal)
                self._input = self._input._replace(attachments=attachments)
        return self._input

    def open_session(self) -> Session | None:
        """Find or create the conversation to continue: the one that the options name, or the command's own.

        If the named one cannot be opened since the disk is full or read-only, `shared` is changed so that
        nothing is recorded.
        """
        name, latest = self.shared.session, self.shared.continue_
        if name is None and not latest:
            return self._default_session()
        if name is not None and latest:
            raise UsageError("--session and --continue do not go together")
        if self.shared.no_log:
            raise UsageError(f"--no-log and {'--continue' if latest else '--session'} do not go together")
        if name is not None:
            try:
                return self._named_session(name)
            except CannotWriteError as error:
                self._stop_recording(name, error)
                return None
        latest_session = self.services.history.latest_session()
        if latest_session is None:
            raise NoInputError("there is no conversation to continue")
        return latest_session

    def _stop_recording(self, name: str, error: CannotWriteError) -> None:
        self.shared = self.shared._replace(session=None, no_log=True)
        if not self.display.quiet:
            self.services.terminal.print_error_line(
                f"gptkit: '{name}' cannot be opened, so this conversation is not recorded: {error.message}"
            )

    def greeting(self) -> Greeting | None:
        """Return the greeting with which a new conversation begins; None without one."""
        for capability in self.services.capabilities_of(self.template):
            if capability.greeting is not None:
                greeting = capability.greeting(self.services, self.template, self.values)
                return cast("Greeting | None", greeting)
        return None

    def _default_session(self) -> Session | None:
        """Return the conversation that a command continues by default; None if none can be created."""
        name_functions = [
            capability.session_name
            for capability in self.services.capabilities_of(self.template)
            if capability.session_name
        ]
        name = name_functions[0](self.template, self.values) if name_functions else ""
        if not name or self.shared.no_log or not self.services.settings.boolean("log"):
            return None
        try:
            return self._named_session(name)
        except CannotWriteError:  # the record of the exchange tells it
            return None

    def _named_session(self, name: str) -> Session | None:
        from gptkit.history.names import session_name as valid

        session = self.services.history.find_session(name)
        named = name if session else valid(name)
        return session or (None if self.shared.dry_run else self._create_session(named))

    def _create_session(self, name: str) -> Session:
        """Create a conversation, or find the one that another process has created in the meantime."""
        try:
            return self.services.history.create(name, self.template.name)
        except UsageError:
            session = self.services.history.find_session(name)
            if session is None:
                raise
            return session

    @property
    def input_paths(self) -> list[Path]:
        """The files that the command line names as input."""
        kinds = {
            parameter.variable for parameter in self.template.declared_parameters if parameter.kind == "file"
        }
        paths = [Path(str(value)) for name, value in self.values.items() if name in kinds and value]
        return [*map(Path, self.shared.file + self.shared.attach), *paths]

    def _check_output(self, other_paths: Sequence[Path]) -> None:
        terminal, output = self.services.terminal, self.display.output
        if output is not None:
            answer.check_output(terminal, output, [*self.input_paths, *other_paths])
        elif terminal.stdout_is_closed:
            raise CannotWriteError("standard output: it is closed")
