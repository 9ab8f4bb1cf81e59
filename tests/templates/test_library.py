"""Folders of prompt files: which file a name means, what it shadows, and what it extends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_files import WORDS
from prompt_folders import Folders

from gptkit.core.errors import CannotReadError, GptkitError, NoInputError
from gptkit.core.yaml_tree import SIZE_CAP, YamlFileError
from gptkit.templates.library import Library, PromptFile, PromptFolder

not_root = pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


def test_without_folders_there_are_no_prompts(folders: Folders) -> None:
    assert folders.library.files() == {}
    assert folders.library.find("haiku") is None
    with pytest.raises(NoInputError) as caught:
        folders.library.template("haiku")
    assert caught.value.message == "no prompt named 'haiku'"
    assert caught.value.hint == "'gptkit prompts list' shows all"


def test_the_later_folder_wins_and_says_what_it_shadows(folders: Folders) -> None:
    paths = [
        folders.write(f"{place}/haiku.yaml", f"description: {place}")
        for place in ("built-in", "user", "project")
    ]
    folders.write("built-in/zen.yaml")
    folders.write("user/ask.yaml")
    folders.write("user/notes.txt")
    entries = folders.library.files()
    assert list(entries) == ["ask", "haiku", "zen"]
    assert entries["haiku"] == PromptFile("haiku", paths[2], "project", (paths[0], paths[1]))
    assert entries["zen"].shadows == ()
    assert (entries["ask"].origin, entries["zen"].origin) == ("user", "built-in")
    assert folders.library.template("haiku").description == "project"


def test_both_endings_are_prompt_files(folders: Folders) -> None:
    long, short = folders.write("user/haiku.yaml"), folders.write("user/haiku.yml")
    folders.write("user/zen.yml")
    entries = folders.library.files()
    assert list(entries) == ["haiku", "zen"]
    assert entries["haiku"] == PromptFile("haiku", short, "user", (long,))


def test_a_name_and_the_list_agree(folders: Folders) -> None:
    for place in (
        "built-in/a.yml",
        "built-in/a.yaml",
        "user/a.yml",
        "user/b.yaml",
        "project/b.yml",
        "project/a.yaml",
    ):
        folders.write(place)
    library = folders.library
    assert {name: library.find(name) for name in ("a", "b")} == dict(library.files())


def test_of_a_project_only_the_named_files_are_on_the_shelf(folders: Folders) -> None:
    folders.only = frozenset({"a.yaml"})
    for name in ("a.yaml", "a.yml", "b.yaml"):
        folders.write(f"project/{name}")
    assert list(folders.library.files()) == ["a"]
    assert folders.library.files()["a"].path.name == "a.yaml"
    assert folders.library.find("b") is None


NO_NAMES = [
    "", "..", "../haiku", "../user/haiku", "./haiku", "sub/haiku", "sub\\haiku", "~/haiku", "haiku\0",
    "h" * 300, "CON", "con", "nul", "Haiku", "HAIKU", "haiku.yaml", "haiku ", "hai*", ".hidden", "prompts",
    "sub／haiku", "..／haiku", "俳句",
]  # fmt: skip


@pytest.mark.parametrize("name", NO_NAMES, ids=[repr(name)[:20] for name in NO_NAMES])
def test_what_is_no_name_is_never_looked_up(tmp_path: Path, name: str) -> None:
    class Untouched(type(tmp_path)):  # type: ignore[misc]
        """A folder that nobody may look into."""

        def __truediv__(self, key: object) -> Path:
            raise AssertionError(f"'{key!r}' was looked up")

        def iterdir(self) -> Iterator[Path]:
            raise AssertionError("the folder was listed")

    library = Library([PromptFolder("user", Untouched(tmp_path))], WORDS)
    assert library.find(name) is None
    with pytest.raises(NoInputError):
        library.template(name)


def test_an_absolute_path_is_no_name(folders: Folders) -> None:
    path = folders.write("user/haiku.yaml")
    for name in (str(path), str(path.with_suffix("")), "/etc/passwd"):
        assert folders.library.find(name) is None


def test_files_whose_names_no_command_can_have_are_listed_and_broken(folders: Folders) -> None:
    for name in ("My prompt.yaml", "俳句.yml", "prompts.yaml", "con.yaml"):
        folders.write(f"user/{name}")
    library = folders.library
    assert list(library.files()) == ["My prompt", "con", "prompts", "俳句"]
    for entry in library.files().values():
        with pytest.raises(YamlFileError):
            library.check(entry)


def test_what_is_no_file_is_no_prompt(folders: Folders) -> None:
    folders.write("user/a.yaml/inner.txt")
    folders.write("user/.hidden.yaml")
    folders.write("user/._b.yaml")
    (folders.root / "user/dangling.yaml").symlink_to("nowhere")
    (folders.root / "user/loop.yaml").symlink_to("loop.yaml")
    os.mkfifo(folders.root / "user/fifo.yaml")
    assert folders.library.files() == {}
    for name in ("a", "dangling", "loop", "fifo"):
        assert folders.library.find(name) is None


def test_a_file_in_place_of_a_folder_holds_no_prompts(folders: Folders) -> None:
    folders.write("user")
    assert folders.library.files() == {}
    assert folders.library.find("haiku") is None


def test_a_link_to_a_file_is_a_prompt(folders: Folders) -> None:
    target = folders.write("elsewhere/haiku.yaml")
    (folders.root / "user").mkdir()
    (folders.root / "user/verse.yaml").symlink_to(target)
    assert folders.library.template("verse").name == "verse"


def test_a_refusal_of_the_system_is_said_so(tmp_path: Path) -> None:
    class Locked(type(tmp_path)):  # type: ignore[misc]
        """A folder that can be neither entered nor listed."""

        def is_file(self) -> bool:
            raise PermissionError(13, "Permission denied")

        def iterdir(self) -> Iterator[Path]:
            raise PermissionError(13, "Permission denied")

    library = Library([PromptFolder("user", Locked(tmp_path))], WORDS)
    with pytest.raises(CannotReadError) as caught:
        library.find("haiku")
    assert caught.value.message == f"'{tmp_path / 'haiku.yaml'}': permission denied"
    with pytest.raises(CannotReadError) as caught:
        library.files()
    assert caught.value.message == f"'{tmp_path}': permission denied"


@not_root
@pytest.mark.parametrize(("mode", "place"), [(0o000, "user"), (0o400, "user"), (0o000, "user/haiku.yaml")])
def test_what_cannot_be_read_is_said_so(folders: Folders, mode: int, place: str) -> None:
    folders.write("user/haiku.yaml")
    folders.write("built-in/ask.yaml")
    path = folders.root / place
    path.chmod(mode)
    try:
        with pytest.raises(CannotReadError) as caught:
            folders.library.template("haiku")
        assert caught.value.message == f"'{folders.root / 'user/haiku.yaml'}': permission denied"
        if place == "user":
            with pytest.raises(CannotReadError):
                folders.library.files()
        else:
            assert list(folders.library.files()) == ["ask", "haiku"]
    finally:
        path.chmod(0o700)


def test_a_file_that_vanished_is_said_so(folders: Folders) -> None:
    path = folders.write("user/haiku.yaml")
    entry = folders.library.files()["haiku"]
    path.unlink()
    with pytest.raises(CannotReadError) as caught:
        folders.library.check(entry)
    assert caught.value.message == f"'{path}': no such file or directory"


CONTENT = [
    (b"description: x\nsystem: \xc3\x28\n", 2, "not UTF-8"),
    ("description: 俳句\n\nsystem: 俳句\n".encode("gb18030"), 1, "not UTF-8"),
    ("description: x\n".encode("utf-16"), 1, "not UTF-8"),
    (b"description: x\nsystem: \x00\n", 2, "not YAML: the character U+0000 is not allowed"),
    (b"a: [" * 2_500_000, 1, f"larger than {SIZE_CAP >> 10} KiB"),
    (("description: " + "俳" * (SIZE_CAP // 2)).encode(), 1, f"larger than {SIZE_CAP >> 10} KiB"),
]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    CONTENT,
    ids=["utf-8", "gb18030", "utf-16", "nul", "10 MB", "1.5 MB of CJK"],
)
def test_content_that_is_no_prompt_file_is_refused(
    folders: Folders, content: bytes, line: int, message: str
) -> None:
    folders.write("user/haiku.yaml", content)
    assert folders.problems("haiku") == [("user/haiku.yaml", line, "", message, "")]


def test_a_byte_order_mark_is_no_part_of_the_text(folders: Folders) -> None:
    folders.write("user/haiku.yaml", b"\xef\xbb\xbfdescription: x\r\nsystem: |\r\n  \xe4\xb8\xad\r\n")
    assert folders.library.template("haiku").system == "中\n"


def test_a_broken_file_harms_no_other(folders: Folders) -> None:
    folders.write("user/good.yaml")
    folders.write("user/bad.yaml", "description: [")
    library = folders.library
    assert list(library.files()) == ["bad", "good"]
    assert library.template("good").name == "good"
    with pytest.raises(YamlFileError):
        library.outline(library.files()["bad"])


def test_an_outline_needs_no_sound_templates(folders: Folders) -> None:
    folders.write("user/haiku.yaml", "description: x\nsystem: '{{ nothing }}'")
    library = folders.library
    assert library.outline(library.files()["haiku"]).description == "x"
    assert folders.problems("haiku")[0][:3] == ("user/haiku.yaml", 2, "system")


def test_a_check_finds_more_than_a_use_does(folders: Folders) -> None:
    path = folders.write(
        "user/haiku.yaml", "description: x\nsystem: '{% if request %}{{ text | uper }}{% endif %}'"
    )
    library = folders.library
    assert library.template("haiku").name == "haiku"
    with pytest.raises(GptkitError) as caught:
        library.check(library.files()["haiku"])
    assert caught.value.message == f"{path}:2: system: unknown filter 'uper'"
