"""Files are whole old or whole new, private ones stay private, and one file has many names."""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import open_below

from gptkit.core.errors import CannotReadError, CannotWriteError
from gptkit.core.files import is_same_file, is_untrusted_link, replace_path, write_atomic, write_private

ROOT = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root is many users")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux devices and limits")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_writes_a_new_file_under_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "a", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert mode(tmp_path / "a") == 0o640
    assert names(tmp_path) == ["a"]


def test_keeps_the_mode_of_an_existing_file_unless_one_is_given(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    target.chmod(0o751)
    write_atomic(target, b"new")
    assert (target.read_bytes(), mode(target)) == (b"new", 0o751)
    write_atomic(target, b"newer", mode=0o600)
    assert (target.read_bytes(), mode(target)) == (b"newer", 0o600)


@ROOT
def test_keeps_the_owner_of_an_existing_file(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    os.chown(target, 12345, 54321)
    target.chmod(0o640)
    write_atomic(target, b"new")
    status = target.stat()
    assert (status.st_uid, status.st_gid, mode(target)) == (12345, 54321, 0o640)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_pieces_are_one_file_with_the_mode_it_had(tmp_path: Path) -> None:
    target = tmp_path / "a"
    write_atomic(target, iter([b"one", b"", b"two"]), 0o640)
    assert (target.read_bytes(), mode(target)) == (b"onetwo", 0o640)
    write_atomic(target, [b"x" * 100_000, b"y"])
    assert (target.read_bytes(), mode(target)) == (b"x" * 100_000 + b"y", 0o640)
    write_atomic(target, ())
    assert target.read_bytes() == b""


@LINUX
@pytest.mark.parametrize("name", ["a", "/dev/null"])
def test_pieces_are_never_all_held(tmp_path: Path, name: str) -> None:
    pieces = (bytes(1 << 20) for _ in range(16))
    tracemalloc.start()
    try:
        write_atomic(tmp_path / name, pieces)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tmp_path / name).stat().st_size == (16 << 20 if name == "a" else 0)
    assert peak < 4 << 20


@pytest.mark.usefixtures("open_umask")
def test_what_is_private_is_so_from_its_first_byte(tmp_path: Path) -> None:
    seen: list[int] = []

    def pieces() -> Iterator[bytes]:
        yield b"one"
        seen.extend(mode(path) for path in tmp_path.iterdir())
        yield b"two"

    write_atomic(tmp_path / "a", pieces(), 0o600)
    assert seen == [0o600]


@LINUX
def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    for data in (b"one", b"two"):
        write_atomic(tmp_path / "a", data)
    with pytest.raises(CannotWriteError):
        write_atomic(tmp_path, b"three")
    assert open_below(tmp_path) == []


def test_what_killed_runs_left_is_removed_after_a_day(tmp_path: Path) -> None:
    names_of_old = [".gptkit-1", ".gptkit-2", "mine", ".gptkit-theirs"]
    for name in [*names_of_old, ".gptkit-young"]:
        (tmp_path / name).touch()
    (tmp_path / ".gptkit-link").symlink_to("mine")
    yesterday = time.time() - 25 * 3600
    for name in [*names_of_old, ".gptkit-link"]:
        os.utime(tmp_path / name, (yesterday, yesterday), follow_symlinks=False)
    if os.geteuid() == 0:
        os.chown(tmp_path / ".gptkit-theirs", 12345, 12345)
    else:
        (tmp_path / ".gptkit-theirs").touch()
    write_atomic(tmp_path / "a", b"new")
    assert names(tmp_path) == [".gptkit-link", ".gptkit-theirs", ".gptkit-young", "a", "mine"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_a_name_is_taken_whatever_has_it(tmp_path: Path) -> None:
    like, target = tmp_path / "like", tmp_path / "a"
    like.write_bytes(b"old")
    like.chmod(0o640)
    stands: list[Callable[[], object]] = [
        lambda: None,
        lambda: target.symlink_to(like),
        lambda: os.mkfifo(target, 0o604),
    ]
    for stand in stands:
        target.unlink(missing_ok=True)
        stand()
        replace_path(target, b"new", like)
        assert (target.read_bytes(), mode(target), target.is_symlink()) == (b"new", 0o640, False)
    target.chmod(0o600)
    replace_path(target, b"newer", like)
    assert (target.read_bytes(), mode(target), like.read_bytes()) == (b"newer", 0o600, b"old")


@ROOT
@pytest.mark.parametrize(
    ("folder_mode", "folder_owner", "link_owner", "planted"),
    [
        (0o1777, 0, 12345, True),
        (0o777, 0, 12345, True),
        (0o775, 0, 12345, False),
        (0o1777, 12345, 12345, False),
        (0o1777, 12345, 0, False),
    ],
)
def test_a_link_that_another_user_planted_is_not_followed(
    tmp_path: Path, folder_mode: int, folder_owner: int, link_owner: int, planted: bool
) -> None:
    (tmp_path / "victim").write_bytes(b"old")
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(folder_mode)
    (folder / "link").symlink_to("../victim")
    os.chown(folder / "link", link_owner, 0, follow_symlinks=False)
    os.chown(folder, folder_owner, 0)
    assert is_untrusted_link(folder / "link") is planted
    assert not is_untrusted_link(tmp_path / "victim")
    if planted:
        with pytest.raises(CannotWriteError, match="it is another user's symbolic link"):
            write_atomic(folder / "link", b"new")
    assert ((tmp_path / "victim").read_bytes(), names(folder)) == (b"old", ["link"])


def test_what_stops_the_pieces_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    def torn() -> Iterator[bytes]:
        yield b"half"
        raise CannotReadError("the store is damaged")

    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(CannotReadError, match="the store is damaged"):
        write_atomic(tmp_path / "a", torn())
    assert ((tmp_path / "a").read_bytes(), names(tmp_path)) == (b"old", ["a"])


def test_replaces_rather_than_overwrites(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with target.open("rb") as reader:
        write_atomic(target, b"new")
        assert reader.read() == b"old"


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_what_it_points_at_is_written(tmp_path: Path, exists: bool) -> None:
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "real"
    if exists:
        target.write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to("folder/real")
    write_atomic(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert names(tmp_path / "folder") == ["real"]


def test_a_very_long_name_is_written(tmp_path: Path) -> None:
    name = "n" * 255
    write_atomic(tmp_path / name, b"new")
    assert names(tmp_path) == [name]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    target = tmp_path / "a"
    target.write_bytes(b"old")
    target.chmod(0o640)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, limits[1]))
    try:
        with pytest.raises(CannotWriteError, match=r"^cannot write '.*/a': file too large$"):
            write_atomic(target, b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert (target.read_bytes(), mode(target), names(tmp_path)) == (b"old", 0o640, ["a"])


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("missing/a", "no such file or directory"),
        ("file/a", "not a directory"),
        (".", "is a directory"),
        ("n" * 256, "file name too long"),
        ("loop", "too many levels of symbolic links"),
        ("nul\0", "its name holds a character that no name can hold"),
    ],
)
def test_says_why_it_cannot_write(tmp_path: Path, name: str, cause: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(CannotWriteError) as caught:
        write_atomic(tmp_path / name, b"new")
    assert caught.value.message == f"cannot write '{tmp_path / name}': {cause}"
    assert names(tmp_path) == ["file", "loop"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_refuses_a_read_only_file_and_folder(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    target.chmod(0o444)
    with pytest.raises(CannotWriteError, match="permission denied"):
        write_atomic(target, b"new")
    target.chmod(0o644)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(CannotWriteError, match="permission denied"):
            write_atomic(target, b"new")
    finally:
        tmp_path.chmod(0o700)
    assert target.read_bytes() == b"old"


@LINUX
def test_a_device_is_written_to_not_replaced(tmp_path: Path) -> None:
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    write_atomic(link, b"new")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    with pytest.raises(CannotWriteError, match=r"^cannot write '/dev/full': no space left on device$"):
        write_atomic(Path("/dev/full"), b"new")


def test_a_fifo_is_written_to(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(fifo.read_bytes()))
    reader.start()
    write_atomic(fifo, [b"n", b"ew"])
    reader.join()
    assert received == [b"new"]
    assert stat.S_ISFIFO(fifo.stat().st_mode)


@pytest.mark.usefixtures("open_umask")
def test_private_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    target = tmp_path / "one" / "two" / "keys"
    write_private(target, b"key")
    assert target.read_bytes() == b"key"
    assert (mode(target), mode(target.parent), mode(target.parent.parent)) == (0o600, 0o700, 0o700)
    target.chmod(0o644)
    write_private(target, b"other")
    assert (target.read_bytes(), mode(target)) == (b"other", 0o600)


def test_private_folders_are_usable_under_a_strict_umask(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        write_private(tmp_path / "one" / "keys", b"key")
    finally:
        os.umask(before)
    assert (mode(tmp_path / "one"), mode(tmp_path / "one" / "keys")) == (0o700, 0o600)


@pytest.mark.parametrize("exists", [True, False])
def test_a_planted_link_is_refused(tmp_path: Path, exists: bool) -> None:
    victim = tmp_path / "victim"
    if exists:
        victim.write_bytes(b"old")
    (tmp_path / "keys").symlink_to(victim)
    with pytest.raises(CannotWriteError, match="it is a symbolic link"):
        write_private(tmp_path / "keys", b"key")
    assert victim.exists() == exists
    assert not exists or victim.read_bytes() == b"old"
    assert (tmp_path / "keys").is_symlink()


def test_a_private_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotWriteError, match="it is not a regular file"):
        write_private(tmp_path, b"key")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CannotWriteError, match="not a directory"):
        write_private(tmp_path / "file" / "keys", b"key")


def test_first_runs_at_once_all_write(tmp_path: Path) -> None:
    start = threading.Barrier(8)
    failures: list[BaseException] = []

    def first_run(number: int) -> None:
        start.wait()
        try:
            write_private(tmp_path / "a" / "b" / "keys", b"%d" % number * 1000)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=first_run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    content = (tmp_path / "a" / "b" / "keys").read_bytes()
    assert content in {b"%d" % number * 1000 for number in range(8)}
    assert names(tmp_path / "a" / "b") == ["keys"]


def test_every_spelling_is_the_same_file(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "hard").hardlink_to(real)
    (tmp_path / "door").symlink_to(tmp_path)
    for spelling in ("./real", "folder/../real", "link", "hard", "door/real", "door/door/link"):
        assert is_same_file(real, tmp_path / spelling), spelling
    other = tmp_path / "other"
    assert not is_same_file(real, other)
    other.write_bytes(b"")
    assert not is_same_file(real, other)


def test_a_file_that_does_not_exist_yet_has_many_spellings_too(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder/new")
    (tmp_path / "door").symlink_to("folder")
    new = tmp_path / "folder" / "new"
    for spelling in ("folder/./new", "door/new", "link", "folder/../folder/new"):
        assert is_same_file(new, tmp_path / spelling), spelling
    assert not is_same_file(new, tmp_path / "new")
    assert not is_same_file(new, tmp_path / "folder" / "other")
    assert is_same_file(tmp_path / "no" / "new", tmp_path / "no" / "new")
    assert not is_same_file(tmp_path / "no" / "new", tmp_path / "nope" / "new")


def test_an_open_descriptor_is_the_file_it_reads(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"")
    with target.open("rb") as file:
        assert is_same_file(file.fileno(), target)
        assert not is_same_file(file.fileno(), tmp_path / "b")


def test_devices_are_never_the_same_file() -> None:
    assert not is_same_file(Path(os.devnull), Path(os.devnull))
