"""Which folders prompt files come from, and the trust that a project's need."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from prompt_files import WORDS

from gptkit.core.errors import CannotReadError, CannotWriteError, ConfigurationError
from gptkit.core.paths import Paths
from gptkit.core.paths import paths as paths_of
from gptkit.core.yaml_tree import SIZE_CAP
from gptkit.templates import library as shelves
from gptkit.templates.library import Library

HAIKU = b"description: x\n"
HINT = "remove it and run 'gptkit prompts trust' again"


class Project:
    """A project's prompt files and the user who may trust them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = Paths(root / "config", root / "data", root / "cache", root / "work/.gptkit")
        self.folder = self.paths.project / "prompts"
        self.store = self.paths.data / "trusted.json"
        self.folder.mkdir(parents=True)
        self.write("haiku.yaml")

    def write(self, name: str, data: bytes = HAIKU) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    def trust(self) -> shelves.FileHashes:
        return shelves.trust(self.paths, self.folder)

    @property
    def trusted(self) -> list[str]:
        """Names of the project's prompts that are commands."""
        library = Library(shelves.prompt_folders(self.paths), WORDS)
        return [name for name, entry in library.files().items() if entry.origin == "project"]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_built_in_prompts_are_in_the_checkout() -> None:
    assert shelves.built_in_folder() == Path(__file__).parents[2] / "prompts"


def test_the_shelves_are_built_in_then_the_users_then_the_projects(project: Project) -> None:
    assert [(one.origin, one.path) for one in shelves.prompt_folders(project.paths)] == [
        ("built-in", shelves.built_in_folder()),
        ("user", project.paths.config / "prompts"),
    ]
    project.trust()
    last = shelves.prompt_folders(project.paths)[2]
    assert (last.origin, last.path, last.only) == ("project", project.folder, frozenset({"haiku.yaml"}))


def test_nothing_is_trusted_before_the_user_says_so(project: Project) -> None:
    assert project.trusted == []
    assert shelves.untrusted_files(project.paths) == ("haiku.yaml",)
    assert not project.store.exists()
    found = project.trust()
    assert list(found) == ["haiku.yaml"]
    assert project.trusted == ["haiku"]
    assert shelves.untrusted_files(project.paths) == ()


def test_without_a_project_there_is_nothing_to_trust(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path, tmp_path, tmp_path / "nowhere")
    assert shelves.untrusted_files(paths) == ()
    assert len(shelves.prompt_folders(paths)) == 2
    assert shelves.distrust(paths, shelves.project_folder(paths)) is False


def test_a_changed_file_is_no_longer_trusted_and_is_when_it_is_as_it_was(project: Project) -> None:
    project.write("zen.yml")
    project.trust()
    project.write("haiku.yaml", HAIKU + b"# changed\n")
    assert project.trusted == ["zen"]
    assert shelves.untrusted_files(project.paths) == ("haiku.yaml",)
    project.write("haiku.yaml")
    assert project.trusted == ["haiku", "zen"]


def test_a_new_file_is_not_trusted_with_the_others(project: Project) -> None:
    project.trust()
    project.write("new.yaml")
    (project.folder / "haiku.yaml").rename(project.folder / "renamed.yaml")
    assert project.trusted == []
    assert shelves.untrusted_files(project.paths) == ("new.yaml", "renamed.yaml")


def test_a_link_is_not_trusted(project: Project) -> None:
    target = project.root / "target.yaml"
    target.write_bytes(HAIKU)
    (project.folder / "linked.yaml").symlink_to(target)
    assert list(project.trust()) == ["haiku.yaml"]
    (project.folder / "haiku.yaml").unlink()
    (project.folder / "haiku.yaml").symlink_to(target)
    assert project.trusted == []
    assert shelves.untrusted_files(project.paths) == ()


def test_trust_is_bound_to_the_place(project: Project) -> None:
    project.trust()
    shutil.copytree(project.root / "work", project.root / "copy")
    copy = project.paths._replace(project=project.root / "copy/.gptkit")
    assert len(shelves.prompt_folders(copy)) == 2
    assert shelves.untrusted_files(copy) == ("haiku.yaml",)


def test_a_place_is_the_same_by_every_way_there(project: Project) -> None:
    project.trust()
    (project.root / "link").symlink_to(project.root / "work")
    by_link = project.paths._replace(project=project.root / "link/.gptkit")
    assert len(shelves.prompt_folders(by_link)) == 3


def test_a_link_that_points_elsewhere_takes_no_trust_along(project: Project) -> None:
    project.trust()
    evil = project.root / "evil"
    shutil.move(project.folder, evil)
    project.folder.symlink_to(evil)
    assert project.trusted == []


def test_trust_is_taken_back(project: Project) -> None:
    project.trust()
    assert shelves.distrust(project.paths, project.folder) is True
    assert project.trusted == []
    assert shelves.distrust(project.paths, project.folder) is False


def test_projects_are_trusted_one_by_one(project: Project) -> None:
    other = project.root / "other/.gptkit/prompts"
    other.mkdir(parents=True)
    (other / "zen.yaml").write_bytes(HAIKU)
    project.trust()
    shelves.trust(project.paths, other)
    shelves.distrust(project.paths, other)
    assert project.trusted == ["haiku"]


def test_what_is_trusted_is_kept_private(project: Project) -> None:
    project.trust()
    assert stat.S_IMODE(project.store.stat().st_mode) == 0o600
    assert stat.S_IMODE(project.store.parent.stat().st_mode) == 0o700
    assert list(json.loads(project.store.read_bytes())) == [str(project.folder)]


def test_trusting_anew_forgets_files_that_are_gone(project: Project) -> None:
    project.trust()
    (project.folder / "haiku.yaml").unlink()
    project.write("zen.yaml")
    assert list(project.trust()) == ["zen.yaml"]
    assert list(json.loads(project.store.read_bytes())[str(project.folder)]) == ["zen.yaml"]


def test_what_is_no_prompt_file_has_no_fingerprint(project: Project) -> None:
    project.write("notes.txt")
    project.write("long.yaml", b"#" * (SIZE_CAP + 1))
    project.write("longest.yaml", b"#" * SIZE_CAP)
    (project.folder / "folder.yaml").mkdir()
    os.mkfifo(project.folder / "fifo.yaml")
    assert list(shelves.file_hashes(project.folder)) == ["haiku.yaml", "longest.yaml"]
    assert shelves.file_hashes(project.folder / "haiku.yaml") == {}
    assert shelves.file_hashes(project.folder / "nowhere") == {}


def test_a_fingerprint_is_of_the_content(project: Project) -> None:
    one, other = project.write("one.yaml"), project.write("other.yaml", HAIKU + b"\n")
    found = shelves.file_hashes(project.folder)
    assert found["haiku.yaml"] == found[one.name] != found[other.name]
    assert found["one.yaml"] == "af91de3766d413b081f2f93559bc913d09e3e2258748246099cd40e457a3a753"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'"x"', b'{"/a": []}', b'{"/a": "b"}', b"\xff\xfe", b"[" * 100_000],
    ids=["empty", "cut", "list", "null", "text", "no names", "no mapping", "not UTF-8", "deep"],
)
def test_a_damaged_store_is_kept_and_said_so(project: Project, content: bytes) -> None:
    project.trust()
    project.store.write_bytes(content)
    for use in (shelves.prompt_folders, shelves.untrusted_files, lambda _: project.trust()):
        with pytest.raises(CannotReadError) as caught:
            use(project.paths)
        assert (caught.value.code, caught.value.message) == (74, f"'{project.store}': damaged")
        assert caught.value.hint == HINT
    assert project.store.read_bytes() == content


def test_a_damaged_store_harms_nobody_without_a_project(project: Project) -> None:
    project.trust()
    project.store.write_bytes(b"{")
    assert len(shelves.prompt_folders(project.paths._replace(project=project.root / "nowhere"))) == 2


def test_a_store_that_is_a_folder_cannot_be_read(project: Project) -> None:
    project.store.mkdir(parents=True)
    with pytest.raises(CannotReadError) as caught:
        project.trust()
    assert caught.value.message == f"'{project.store}': is a directory"


def test_digests_of_another_kind_trust_nothing(project: Project) -> None:
    project.store.parent.mkdir()
    project.store.write_text(json.dumps({str(project.folder): {"haiku.yaml": None, "zen.yaml": 1}}))
    assert project.trusted == []


def test_names_that_are_no_text_can_be_trusted(project: Project) -> None:
    folder = Path(os.fsdecode(os.fsencode(project.root) + b"/\xff/.gptkit/prompts"))
    folder.mkdir(parents=True)
    (folder / os.fsdecode(b"\xe4.yaml")).write_bytes(HAIKU)
    (folder / "俳句.yaml").write_bytes(HAIKU)
    found = shelves.trust(project.paths, folder)
    paths = project.paths._replace(project=folder.parent)
    assert shelves.prompt_folders(paths)[2].only == frozenset(found) == {"\udce4.yaml", "俳句.yaml"}


def test_a_link_in_place_of_the_store_is_refused(project: Project) -> None:
    project.store.parent.mkdir()
    project.store.symlink_to(project.root / "victim")
    with pytest.raises(CannotWriteError):
        project.trust()
    assert not (project.root / "victim").exists()


def test_without_a_home_nothing_can_be_trusted_and_nothing_breaks(project: Project) -> None:
    paths = paths_of({})._replace(project=project.paths.project)
    assert len(shelves.prompt_folders(paths)) == 2
    with pytest.raises(ConfigurationError):
        shelves.trust(paths, project.folder)
