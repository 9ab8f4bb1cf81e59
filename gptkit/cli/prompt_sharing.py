"""`gptkit prompts add` and `import`: bring the prompt files of others into the user's folder.

A file counts only after it was checked and shown, and the user has agreed. Where it came from is remembered.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from gptkit.cli import prompt_files
from gptkit.core.confirm import confirm
from gptkit.core.errors import CannotReadError, DataError, NoInputError, TryAgainError, UsageError
from gptkit.core.files import cause, folder_lock, write_private
from gptkit.core.yaml_tree import SIZE_CAP
from gptkit.templates import library, parse
from gptkit.templates.library import Library, PromptFile, PromptFolder, prompt_folders

if TYPE_CHECKING:
    from gptkit.core.paths import Paths
    from gptkit.services import Services

ENDINGS = (".yaml", ".yml")
MOST_FILES = 200
LONGEST_NAME = 200
"""In bytes: with its ending, a longer name would not fit into a folder."""
SECONDS = 120.0
"""How long git may take to fetch a repository."""
URL = re.compile(r"(?:https|ssh|file)://[^-]|\w[\w.-]*@\w[\w.-]*:")
"""How the address of a Git repository begins: never with a dash, which git would take for an option."""
UNREACHABLE = re.compile(
    r"fatal: unable to access '.*': (?:Could not resolve |Failed to connect |.*timed out|.*Connection reset"
    r"|The requested URL returned error: (?:429|5\d\d))|ssh: (?:Could not resolve |connect to )"
)
"""What git, curl or ssh say of a server that cannot be reached now."""
GIT_OPTIONS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "protocol.ext.allow=never",
)
GIT_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "https:ssh:file",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
    "SSH_ASKPASS": "",
    "LC_ALL": "C",
}


class PromptSource(NamedTuple):
    """Where prompt files come from: a path or an address, and the commit of a repository; and the files."""

    place: str
    commit: str
    files: Mapping[str, bytes]
    """The content of each file by the name of its prompt."""


def add(
    ctx: typer.Context,
    place: Annotated[
        str,
        typer.Argument(
            help="A prompt file, a folder of them, or a Git repository, whose URL may end in '#FOLDER'.",
            metavar="PATH|URL",
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Add without asking.")] = False,
) -> None:
    """Add prompt files of others to yours, after showing what they bring; again, what has changed."""
    services: Services = ctx.obj
    _install(services, _read_source(services, place), yes)


def import_(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="The folder of the patterns.", metavar="FOLDER")],
    kind: Annotated[str, typer.Option("--from", help="What to import: fabric.", metavar="fabric")],
    prefix: Annotated[str, typer.Option(help="Begin each name with this.", metavar="TEXT")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace prompts of the same names, too.")] = False,
) -> None:
    """Make prompt files of the patterns of another program."""
    from gptkit.cli import fabric

    services: Services = ctx.obj
    if kind != "fabric":
        raise UsageError(f"--from: '{kind}' is not known", hint="allowed: fabric")
    made: list[str] = []
    skipped: list[str] = []
    for pattern in fabric.pattern_folders(folder):
        name = prefix + fabric.prompt_name(pattern.name)
        try:
            content = fabric.convert(pattern, services.vocabulary.reserved_options)
            problem = _import_problem(services, name, content, force)
        except (CannotReadError, DataError) as error:
            problem = error.message
        if problem:
            skipped.append(f"{name} ({problem})")
        else:
            _write_prompt(services, name, content)
            made.append(name)
    told = f", skipped {len(skipped)}: {'; '.join(skipped)}" if skipped else ""
    services.terminal.print_sanitized(f"imported {len(made)}{told}")


def _import_problem(services: Services, name: str, content: bytes, force: bool) -> str:
    """Why a converted pattern is not written; empty if it can be."""
    if problem := parse.name_problem(name, services.vocabulary):
        return problem
    known = services.library.find(name)
    if known is not None and not force:
        return f"replaces the {'built-in prompt' if known.origin == 'built-in' else 'prompt'} of this name"
    with _staged(services, {name: content}) as (staged, files):
        problems = prompt_files.find_problems(services, staged, files[0])
        return "; ".join(line.replace(f"{files[0].path.parent}/", "") for line in problems)


def added_prompts(paths: Paths) -> Mapping[str, Mapping[str, str]]:
    """Where the added prompts come from, by name. A damaged record is one without entries."""
    try:
        data = json.loads(_record_path(paths).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    entries = data.values() if isinstance(data, dict) else [None]
    is_whole = all(isinstance(one, dict) and all(isinstance(v, str) for v in one.values()) for one in entries)
    return data if is_whole else {}


def source_record(added: Mapping[str, Mapping[str, str]], file: PromptFile) -> dict[str, object]:
    """The field of `prompts list` that says where a file of the user was added from; empty for any other."""
    entry = added.get(file.name, {}) if file.origin == "user" else {}
    if not entry:
        return {}
    try:
        is_same = _digest(prompt_files.read_prompt_file(file.path)) == entry.get("sha256")
    except (CannotReadError, DataError):  # the list says so of its own
        is_same = False
    commit = f", commit {entry['commit'][:12]}" if entry.get("commit") else ""
    return {"source": f"{entry.get('place', '')}{commit}{'' if is_same else ', changed since'}"}


def _read_source(services: Services, place: str) -> PromptSource:
    path = Path(place)
    if URL.match(place):
        return _read_repository(services, *place.partition("#")[::2])
    try:
        paths = [path] if path.is_file() else sorted(path.iterdir())
    except OSError as error:
        raise NoInputError(
            f"'{place}': {cause(error)}", hint="a repository begins with https:// or ssh://"
        ) from None
    files = [one for one in paths if one.suffix in ENDINGS and not one.name.startswith(".") and one.is_file()]
    _check_names(place, [one.stem for one in files])
    return PromptSource(str(path.absolute()), "", {f.stem: prompt_files.read_prompt_file(f) for f in files})


def _read_repository(services: Services, url: str, folder: str) -> PromptSource:
    """Fetch a repository and read the prompt files of a folder; nothing of the repository is checked out."""
    import tempfile

    with tempfile.TemporaryDirectory() as temporary:
        clone = f"{temporary}/clone"
        git = _Git(services, clone)
        filters = ("--depth=1", "--no-tags", "--template=", f"--filter=blob:limit={SIZE_CAP + 1}")
        git("clone", "--quiet", "--bare", *filters, "--", url, clone)
        try:
            commit = git("rev-parse", "--verify", "HEAD").decode().strip()
        except NoInputError:
            raise NoInputError(f"'{url}': there is no commit") from None
        in_folder = ["ls-tree", "-z", f"{commit}:{folder.strip('/')}"]
        if not folder and b"\tprompts\0" in git("ls-tree", "-z", "-d", commit):
            in_folder[-1] += "prompts"
        files = []
        try:
            listed = git(*in_folder)
        except NoInputError:
            raise NoInputError(f"'{url}': there is no folder '{folder}'") from None
        for entry in listed.split(b"\0"):
            described, _, name = entry.decode("utf-8", "replace").partition("\t")
            if not name.endswith(ENDINGS) or name.startswith(".") or not described.startswith("100"):
                continue
            blob = described.split()[2]
            if not _is_small(git, blob):
                raise DataError(f"'{name}': larger than {SIZE_CAP >> 10} KiB")
            files.append((Path(name).stem, blob))
        _check_names(url, [name for name, _ in files])
        contents = {name: git("cat-file", "blob", blob) for name, blob in files}
    return PromptSource(f"{url}#{folder}" if folder else url, commit, contents)


class _Git:
    """Runs git on a clone: no hook, no question for a password, no other protocol, not for ever."""

    def __init__(self, services: Services, clone: str) -> None:
        from gptkit.core.process import find_program, search_path
        from gptkit.settings.keys import environment_without_keys

        environ = environment_without_keys(services.settings)
        own = {name: value for name, value in environ.items() if not name.startswith("GIT_")}
        self._environ = {**own, "PATH": search_path(environ), **GIT_ENVIRONMENT, "GIT_DIR": clone}
        options = [word for setting in GIT_OPTIONS for word in ("-c", setting)]
        self._command = [find_program("git", environ), "--no-pager", *options]

    def __call__(self, *arguments: str) -> bytes:
        from gptkit.core.process import Processes

        result = Processes().run([*self._command, *arguments], "/", self._environ, b"", SECONDS)
        if result.code is None:
            raise TryAgainError(f"git: {result.reason}")
        if result.code != 0:
            lines = result.errors.decode("utf-8", "replace").strip().splitlines()
            if failure := next(filter(UNREACHABLE.match, lines), ""):
                raise TryAgainError(f"git: {failure.removeprefix('fatal: ')}")
            reason = next((line for line in lines if line.startswith("fatal: ")), "".join(lines[-1:]))
            raise NoInputError(f"git: {reason.removeprefix('fatal: ')}")
        return result.output


def _is_small(git: _Git, blob: str) -> bool:
    """Whether a file is no larger than a prompt file may be; a server that can filter sends no larger one."""
    try:
        return int(git("cat-file", "-s", blob)) <= SIZE_CAP
    except NoInputError:
        return False


def _check_names(place: str, names: Sequence[str]) -> None:
    """Raise NoInputError without prompts; DataError for too many, for one name twice, for too long a name."""
    if not names:
        raise NoInputError(f"'{place}': no prompt files", hint="they end in .yaml")
    if len(names) > MOST_FILES:
        raise DataError(f"'{place}': {len(names)} prompt files, more than {MOST_FILES}")
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"nothing was added: '{name}' is there as .yaml and as .yml")
        if len(name.encode()) > LONGEST_NAME:
            raise DataError(f"nothing was added: the name '{name[:40]}...' is too long")


def _install(services: Services, source: PromptSource, yes: bool) -> None:
    """Show what the files bring, ask, and write them. Raises DataError if one is broken."""
    terminal = services.terminal
    with _staged(services, source.files) as (staged, files):
        broken = [line for file in files for line in prompt_files.find_problems(services, staged, file)]
        for line in broken:
            terminal.print_sanitized(line.replace(f"{files[0].path.parent}/", ""))
        if broken:
            raise DataError("nothing was added: a prompt file is broken")
        changed = [file for file in files if _old_content(services, file.name) != source.files[file.name]]
        commit = f", commit {source.commit[:12]}" if source.commit else ""
        count = f"{len(files)} prompt{'' if len(files) == 1 else 's'}"
        terminal.print_sanitized(f"{source.place}{commit}: {count}, {len(changed)} to add or change")
        for file in changed:
            for line in _describe(services, staged, file):
                terminal.print_sanitized(line)
    if changed and not yes:
        confirm(terminal, f"Add {', '.join(file.name for file in changed)}?", "added", "adds")
    for file in changed:
        _write_prompt(services, file.name, source.files[file.name])
    _remember(services, source)
    if changed:
        terminal.print_sanitized(f"added {len(changed)}; 'gptkit prompts rm NAME' removes one")


def _staged(services: Services, files: Mapping[str, bytes]) -> Any:  # noqa: ANN401
    """Return a context manager: a library in which these files count as the user's, and their entries."""
    import tempfile
    from contextlib import contextmanager

    @contextmanager
    def stage() -> Iterator[tuple[Library, Sequence[PromptFile]]]:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary).resolve()
            for name, content in files.items():
                (folder / f"{name}.yaml").write_bytes(content)
            folders = (*prompt_folders(services.paths), PromptFolder("user", folder))
            staged = Library(folders, services.vocabulary)
            yield staged, [one for one in staged.files().values() if one.path.parent == folder]

    return stage()


def _describe(services: Services, staged: Library, file: PromptFile) -> Iterator[str]:
    """Yield what a file brings: its description, what it replaces, its commands, and what it changes."""
    import difflib

    template = staged.check(file)
    old = _old_content(services, file.name)
    replaced = [path for path in file.shadows if path.parent != library.user_folder(services.paths)]
    yield f"{file.name}: {template.description}"
    if replaced:
        yield f"  replaces {replaced[-1]}"
    command = template.input_command
    for argv in command.commands if command else ():
        yield f"  runs where it gets no text: {shlex.join(argv)}"
    has_tools = any(one.trust is not None for one in services.capabilities_of(template))
    if has_tools:
        yield f"  lets the model use tools; this is {'the file' if old is None else 'what changes'}:"
    if old is not None or has_tools:
        new = file.path.read_bytes()
        before, after = ((one or b"").decode("utf-8", "replace").splitlines() for one in (old, new))
        for line in list(difflib.unified_diff(before, after, lineterm="", n=1))[2:]:
            yield f"  {line}"


def _old_content(services: Services, name: str) -> bytes | None:
    path = _user_path(services, name)
    return prompt_files.read_prompt_file(path) if path.is_file() else None


def _user_path(services: Services, name: str) -> Path:
    """The path of a prompt in the user's folder; that of an existing file if it ends in .yml."""
    path = services.paths.require(library.user_folder(services.paths) / f"{name}.yaml")
    return path.with_suffix(".yml") if path.with_suffix(".yml").is_file() else path


def _write_prompt(services: Services, name: str, content: bytes) -> None:
    write_private(_user_path(services, name), content)


def _remember(services: Services, source: PromptSource) -> None:
    about = {"place": source.place, "commit": source.commit}
    _update_record(
        services, {name: {**about, "sha256": _digest(text)} for name, text in source.files.items()}
    )


def forget(services: Services, name: str) -> None:
    """Remove a prompt from the record, so that a new file of its name is not taken for the added one."""
    if name in added_prompts(services.paths):
        _update_record(services, {name: {}})


def _update_record(services: Services, changes: Mapping[str, Mapping[str, str]]) -> None:
    path = services.paths.require(_record_path(services.paths))
    with folder_lock(path.parent):
        entries = {**added_prompts(services.paths), **changes}
        record = {name: entry for name, entry in entries.items() if entry}
        write_private(path, json.dumps(record, ensure_ascii=False, indent=1).encode())


def _record_path(paths: Paths) -> Path:
    return paths.data / "added.json"


def _digest(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()
