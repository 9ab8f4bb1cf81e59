"""Read the input of a prompt from a command that its prompt file names.

The settings of a Git repository can name programs, and a repository may come from anywhere. So git is run in
such a way that it starts none of them: no hook, no pager, no filter, no program that compares or converts
files, and none that fetches missing objects.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.activity import ActivityLine
from gptkit.core.errors import DataError, NoInputError, TryAgainError
from gptkit.core.process import OUTPUT_CAP, Processes, ProcessResult, find_program, search_path

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal
    from gptkit.templates.template import InputCommand

SECONDS = 60.0
"""How long a command may take."""
HINT = "pipe text in, or name a file with -f"
NO_PROGRAMS = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "log.showSignature=false")
GIT_OPTIONS = (
    "--no-pager",
    "--no-optional-locks",
    *(word for setting in (*NO_PROGRAMS, "core.quotePath=false") for word in ("-c", setting)),
)
DIFF_OPTIONS = (
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--submodule=short",
    "--ignore-submodules=dirty",  # to look into a submodule, git would run the programs that it names
)
GIT_VARIABLES = (
    *("DIR", "WORK_TREE", "COMMON_DIR", "INDEX_FILE", "OBJECT_DIRECTORY", "ALTERNATE_OBJECT_DIRECTORIES"),
    *("CEILING_DIRECTORIES", "CONFIG_GLOBAL", "CONFIG_SYSTEM", "CONFIG_NOSYSTEM"),
)
"""What follows `GIT_` in the names of variables that say where things are. Others name programs."""
GIT_ENVIRONMENT = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}


class CommandOutput(NamedTuple):
    """The output of the command in words."""

    command: str
    data: bytes


def read_output(
    terminal: Terminal, command: InputCommand, environ: Mapping[str, str], is_quiet: bool
) -> CommandOutput:
    """Run the commands one after the other until one ends well with output.

    Raises NoInputError if none does, TryAgainError, DataError for too much output, UnavailableError.
    """
    run = _Runner(environ)
    failure, has_ended_well = "", False
    for number, argv in enumerate(command.commands):
        shown = shlex.join(argv)
        with _activity(terminal, shown, is_quiet):
            result = run(argv)
        if result.code == 0 and result.output.strip():
            if number and not is_quiet:
                terminal.print_error_line(f"gptkit: the input is the output of '{shown}'")
            return CommandOutput(shown, result.output)
        has_ended_well |= result.code == 0
        failure = failure or f"'{shown}': {_first_line(result) or f'exit code {result.code}'}"
    if failure and not has_ended_well:
        raise NoInputError(failure, hint=HINT)
    raise NoInputError(
        command.empty or f"no input: '{shlex.join(command.commands[0])}' printed nothing", hint=HINT
    )


@contextmanager
def _activity(terminal: Terminal, shown: str, is_quiet: bool) -> Iterator[None]:
    line = ActivityLine(terminal, is_quiet=is_quiet)
    line.start(lambda _: shown)
    try:
        yield
    finally:
        line.stop()


class _Runner:
    """Runs commands with limits, and git without the programs that a repository names."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {**environ, "PATH": search_path(environ)}
        self._git_options: Sequence[str] | None = None

    def __call__(self, argv: Sequence[str]) -> ProcessResult:
        program = find_program(argv[0], self._environ)
        if PurePath(program).name != "git":
            return self._run([program, *argv[1:]], self._environ, shlex.join(argv))
        if self._git_options is None:
            self._git_options = (*GIT_OPTIONS, *self._filters_off(program))
        return self._run_git(
            [program, *self._git_options, argv[1], *DIFF_OPTIONS, *argv[2:]], shlex.join(argv)
        )

    def _filters_off(self, git: str) -> Iterator[str]:
        """Yield options that empty every filter; git runs those of changed files to compare them.

        Raises NoInputError outside of a repository, and for a repository that git does not trust.
        """
        found = self._run_git([git, *GIT_OPTIONS, "rev-parse", "--is-bare-repository"], "git")
        if found.code != 0:
            advice = found.errors.decode("utf-8", "replace").strip().rpartition("\n")[2].strip()
            hint = advice if advice.startswith("git config ") else HINT
            raise NoInputError(f"git: {_first_line(found)}", hint=hint)
        if found.output.strip() != b"false":  # `git diff --staged` would find all files deleted
            raise NoInputError("git: a bare repository has no work tree", hint=HINT)
        listed = self._run_git(
            [git, "config", "--null", "--name-only", "--get-regexp", r"^filter\."], "git config"
        )
        if listed.code not in (0, 1):  # 1: there is no filter
            raise NoInputError(f"git: {_first_line(listed)}", hint=HINT)
        for name in listed.output.decode("utf-8", "surrogateescape").split("\0"):
            if "=" in name:  # git would take what stands before it for the name
                raise NoInputError(f"git: the filter '{name}' cannot be switched off", hint=HINT)
            if name:
                yield from ("-c", f"{name}=")

    def _run_git(self, argv: Sequence[str], shown: str) -> ProcessResult:
        environ = {
            name: value
            for name, value in self._environ.items()
            if not name.startswith("GIT_") or name[4:] in GIT_VARIABLES
        }
        return self._run(argv, environ | GIT_ENVIRONMENT, shown)

    def _run(self, argv: Sequence[str], environ: Mapping[str, str], shown: str) -> ProcessResult:
        result = Processes().run(argv, ".", environ, b"", SECONDS)
        if result.code is None:
            error = DataError if len(result.output) >= OUTPUT_CAP else TryAgainError
            raise error(f"'{shown}': {result.reason}", hint=HINT)
        return result


def _first_line(result: ProcessResult) -> str:
    """The first line of what a program says about its failure."""
    return result.errors.decode("utf-8", "replace").strip().partition("\n")[0].removeprefix("fatal: ")
