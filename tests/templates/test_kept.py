"""Kept trees: the same as parsed ones, never those of another file or time, never another user's."""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fake.program import AsProcess, InMemory
from prompt_files import WORDS

from gptkit import __version__
from gptkit.core.paths import Paths, paths
from gptkit.core.yaml_tree import SIZE_CAP, YamlFileError, YamlNode, parse_yaml
from gptkit.templates.cache import FORMAT, TreeCache
from gptkit.templates.library import Library, Origin, PromptFolder, built_in_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="where files have no owners, nothing is kept")
as_root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
not_root = pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes everywhere")
settled = pytest.mark.skipif(
    time.time() - max(path.stat().st_ctime for path in built_in_folder().iterdir()) < 3,
    reason="the built-in prompts were written a moment ago",
)
TEXT = """\
# every kind of node, and everything that a message is made of
description: "Wörter: 答案 \\U0001F600 \\t"
system: |
  Eins {{ a }}
  zwei
options:
  a: {default: no, choices: [yes, 'yes', 1e3, ~, ""]}
user: >
  folded
  text
nothing:
empty: {}
none: []
"""


class Cache:
    """A prompt file and its kept tree; `parses` counts what was really parsed."""

    def __init__(self, root: Path) -> None:
        self.prompt = root / "haiku.yaml"
        self.prompt.write_text(TEXT, encoding="utf-8")
        self.paths = Paths(root / "config", root / "data", root / "cache", root / ".gptkit")
        self.folder = self.paths.cache / "prompts"
        self.later = 60
        self.parses = 0

    def read(self) -> YamlNode:
        return TreeCache(self.paths, self._now).tree(self.prompt, self._parsed)

    def is_kept(self) -> bool:
        """Whether a run now would not parse; what it would keep is kept."""
        before = self.parses
        assert plain(self.read()) == plain(parse_yaml(self.prompt.read_text("utf-8"), ""))
        return self.parses == before

    @property
    def file(self) -> Path:
        [found] = self.folder.iterdir()
        return found

    def _now(self) -> int:
        return time.time_ns() + self.later * 1_000_000_000

    def _parsed(self) -> YamlNode:
        self.parses += 1
        return parse_yaml(self.prompt.read_text("utf-8"), str(self.prompt))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path)


@pytest.fixture
def warm(cache: Cache) -> Cache:
    assert not cache.is_kept()
    assert cache.is_kept()
    return cache


def plain(node: YamlNode) -> tuple[object, ...]:
    """All that a node knows, in order."""
    value: object = node.value
    if isinstance(node.value, dict):
        value = [(key, plain(entry)) for key, entry in node.value.items()]
    elif isinstance(node.value, list):
        value = ["list", *(plain(entry) for entry in node.value)]
    return value, node.line, node.plain, node.block


@pytest.mark.parametrize("path", sorted(built_in_folder().iterdir()), ids=lambda path: path.stem)
def test_built_in_prompts_come_back_as_they_are(cache: Cache, path: Path) -> None:
    cache.prompt.write_bytes(path.read_bytes())
    assert [cache.is_kept(), cache.is_kept()] == [False, True]


@pytest.mark.parametrize("text", [TEXT, "", "just text", "- a\n- [b]\n", "{}", "''", "ä: 😀"])
def test_every_kind_of_tree_comes_back_as_it_is(cache: Cache, text: str) -> None:
    cache.prompt.write_text(text, encoding="utf-8")
    assert [cache.is_kept(), cache.is_kept()] == [False, True]


def test_a_kept_tree_tells_the_same_lines(tmp_path: Path, cache: Cache) -> None:
    (tmp_path / "built-in").mkdir()
    text = "description: x\nextra: 1\nsystem: |\n  a\n  {{ b }}\noptions:\n  c: {type: nosuch}\n"
    (tmp_path / "built-in/wrong.yaml").write_text(text)
    (tmp_path / "built-in/base.yaml").write_text("description: x\nsystem: |\n  a\n\n  {{ b }} {{ text }}\n")
    (tmp_path / "built-in/child.yaml").write_text("extends: base\n")
    for name in ("wrong", "base", "child"):
        told = []
        for keeps in (None, TreeCache(cache.paths, lambda: time.time_ns() + 10**10), TreeCache(cache.paths)):
            library = Library([PromptFolder("built-in", tmp_path / "built-in")], WORDS, keeps)
            with pytest.raises(YamlFileError) as caught:
                library.template(name)
            told.append((caught.value.message, caught.value.problems))
        assert told[0] == told[1] == told[2]
    assert len(list(cache.folder.iterdir())) == 3


def test_it_is_private_and_alone(warm: Cache) -> None:
    assert stat.S_IMODE(warm.file.stat().st_mode) == 0o600
    assert [stat.S_IMODE(each.stat().st_mode) for each in (warm.folder, warm.paths.cache)] == [0o700, 0o700]
    assert warm.file.name.startswith("haiku-")
    json.loads(warm.file.read_bytes())


def test_it_is_written_once(warm: Cache) -> None:
    before = warm.file.stat()
    assert warm.is_kept()
    assert warm.file.stat() == before


CHANGES: dict[str, Callable[[Path], object]] = {
    "another text": lambda path: path.write_text("description: y\n"),
    "same length": lambda path: path.write_text(TEXT.replace("zwei", "drei"), encoding="utf-8"),
    "same length and time": lambda path: _same_time(path, TEXT.replace("zwei", "drei")),
    "another file": lambda path: _replaced(path, TEXT.replace("zwei", "drei")),
    "touched": lambda path: os.utime(path),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_file_is_parsed_again_and_kept_again(warm: Cache, name: str) -> None:
    CHANGES[name](warm.prompt)
    assert [warm.is_kept(), warm.is_kept()] == [False, True]
    assert warm.file


def _same_time(path: Path, text: str) -> None:
    before = path.stat()
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replaced(path: Path, text: str) -> None:
    before, other = path.stat(), path.with_name("other")
    other.write_text(text, encoding="utf-8")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


def test_what_has_just_changed_is_not_kept(cache: Cache) -> None:
    cache.later = 0
    os.utime(cache.prompt, (1, 1))  # says nothing of when it was written
    assert [cache.is_kept(), cache.is_kept()] == [False, False]
    assert not cache.paths.cache.exists()
    os.utime(cache.prompt, (time.time() + 3600,) * 2)
    cache.later = 60
    assert [cache.is_kept(), cache.is_kept()] == [False, False]


def test_what_changes_while_it_is_read_is_not_kept(cache: Cache) -> None:
    def parsed() -> YamlNode:
        found = parse_yaml(TEXT, "")
        cache.prompt.write_text("description: y\n")
        return found

    TreeCache(cache.paths, lambda: time.time_ns() + 10**10).tree(cache.prompt, parsed)
    assert not cache.paths.cache.exists()


def test_what_does_not_parse_is_not_kept(cache: Cache) -> None:
    cache.prompt.write_text("a: [")
    for _ in range(2):
        with pytest.raises(YamlFileError):
            cache.read()
    assert (cache.parses, cache.paths.cache.exists()) == (2, False)


def test_files_of_one_name_do_not_get_in_each_others_way(cache: Cache, tmp_path: Path) -> None:
    assert not cache.is_kept()
    first = cache.prompt
    cache.prompt = tmp_path / "folder/haiku.yaml"
    cache.prompt.parent.mkdir()
    cache.prompt.write_text("description: y\n")
    assert [cache.is_kept(), cache.is_kept()] == [False, True]
    cache.prompt = first
    assert cache.is_kept()


def test_a_tree_under_another_name_is_not_taken(warm: Cache, tmp_path: Path) -> None:
    first, other = warm.prompt, tmp_path / "other.yaml"
    mine = warm.file
    other.write_text("description: y\n")
    warm.prompt = other
    assert not warm.is_kept()
    [theirs] = (path for path in warm.folder.iterdir() if path != mine)
    theirs.replace(mine)
    warm.prompt = first
    assert not warm.is_kept()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[:-20],
    "binary": lambda data: bytes(range(256)) * 10,
    "deep": lambda data: b"[" * 100_000,
    "no list": lambda data: b"7",
    "another format": lambda data: data.replace(b'[["%d ' % FORMAT, b'[["%d ' % (FORMAT + 1)),
    "another version": lambda data: data.replace(__version__.encode(), b"9.9.9"),
    "no tree": lambda data: data.partition(b', [{"')[0] + b", null]",
    "half a node": lambda data: data.partition(b', [{"')[0] + b', ["a", 1]]',
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_means_a_fresh_parse_that_mends_it(warm: Cache, name: str) -> None:
    before = warm.file.read_bytes()
    warm.file.write_bytes(DAMAGE[name](before))
    assert warm.file.read_bytes() != before
    assert [warm.is_kept(), warm.is_kept()] == [False, True]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_what_others_may_touch_is_replaced(warm: Cache, mode: int) -> None:
    warm.file.chmod(mode)
    assert [warm.is_kept(), warm.is_kept()] == [False, True]
    assert stat.S_IMODE(warm.file.stat().st_mode) == 0o600


def test_links_are_not_followed(warm: Cache, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    place = warm.file
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    assert not warm.is_kept()
    assert elsewhere.read_bytes() == before


@pytest.mark.parametrize("what", ["fifo", "folder"])
def test_what_is_no_file_is_neither_waited_for_nor_replaced(warm: Cache, what: str) -> None:
    place = warm.file
    place.unlink()
    if what == "fifo":
        os.mkfifo(place, 0o600)
    else:
        place.mkdir()
    assert [warm.is_kept(), warm.is_kept()] == [False, False]
    assert not place.is_file()


@as_root
def test_another_users_tree_is_ignored(warm: Cache) -> None:
    os.chown(warm.file, 12345, 12345)
    assert [warm.is_kept(), warm.is_kept()] == [False, True]
    assert warm.file.stat().st_uid == 0


@not_root
def test_a_cache_that_cannot_be_written_is_not_told(cache: Cache) -> None:
    cache.paths.cache.mkdir()
    cache.paths.cache.chmod(0o500)
    assert [cache.is_kept(), cache.is_kept()] == [False, False]
    cache.paths.cache.chmod(0o700)


def test_a_file_where_the_cache_should_be_is_not_told(cache: Cache) -> None:
    cache.paths.cache.write_text("")
    assert [cache.is_kept(), cache.is_kept()] == [False, False]


def test_without_a_home_nothing_is_kept(cache: Cache) -> None:
    cache.paths = paths({})
    assert cache.paths.problem
    assert [cache.is_kept(), cache.is_kept()] == [False, False]
    assert not cache.paths.cache.exists()


def test_a_prompt_that_is_too_long_or_gone_is_left_to_who_parses(cache: Cache, tmp_path: Path) -> None:
    cache.prompt.write_text("#" * (SIZE_CAP + 1))
    for path in (cache.prompt, tmp_path / "nosuch.yaml", tmp_path, tmp_path / "a\0b"):
        with pytest.raises(LookupError):
            TreeCache(cache.paths).tree(path, _refused)
    assert not cache.paths.cache.exists()


def _refused() -> YamlNode:
    raise LookupError


def test_a_long_name_is_not_told(cache: Cache) -> None:
    cache.prompt = cache.prompt.rename(cache.prompt.with_name("n" * 250 + ".yaml"))
    assert [cache.is_kept(), cache.is_kept()] == [False, False]


@pytest.mark.parametrize("origin", ["built-in", "user", "project"])
def test_a_projects_prompts_are_never_kept(cache: Cache, tmp_path: Path, origin: Origin) -> None:
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf/zen.yaml").write_text("description: x\n")
    library = Library(
        [PromptFolder(origin, tmp_path / "shelf")],
        WORDS,
        TreeCache(cache.paths, lambda: time.time_ns() + 10**10),
    )
    library.template("zen")
    assert cache.paths.cache.exists() == (origin != "project")


def test_many_at_once(cache: Cache) -> None:
    trees: list[YamlNode] = []
    threads = [threading.Thread(target=lambda: trees.append(cache.read())) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = plain(parse_yaml(TEXT, ""))
    assert [plain(found) for found in trees] == [expected] * 64
    assert cache.is_kept()
    assert cache.file


MODULES = """
import sys
sys.argv[0] = "gptkit"
from gptkit.__main__ import entry_point
try:
    entry_point()
finally:
    sys.stderr.write("yaml " + str("yaml" in sys.modules))
"""


@settled
def test_the_second_run_loads_no_yaml_and_asks_the_same(run: AsProcess, home: Path) -> None:
    command = (sys.executable, "-c", MODULES)
    first, second = (run("translate", "hello", "--dry-run", command=command) for _ in range(2))
    assert first.stdout == second.stdout
    assert (first.stderr, second.stderr) == ("yaml True", "yaml False")
    assert [path.name.partition("-")[0] for path in (home / "cache/prompts").iterdir()] == ["translate"]


@settled
def test_lists_and_checks_say_the_same(gptkit: InMemory, home: Path) -> None:
    for words in (["prompts", "check"], ["prompts", "list", "--json"], ["--help"], ["write", "--help"]):
        assert gptkit(*words) == gptkit(*words)
    assert len(list((home / "cache/prompts").iterdir())) == len(list(built_in_folder().iterdir()))
