"""Real documents that this project did not write, through a model that repeats them: to the letter."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from document_samples import TAO_TE_CHING
from fake.received import Received
from fake.server import FakeServer
from fake.waiting import SOON

Gptkit = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


def fetched(folder: Path, *command: str) -> Path:
    """The archive that a package manager's client brings, or a skipped test."""
    if not shutil.which(command[0]):
        pytest.skip(f"no {command[0]} here: this document was not tried")
    before = set(folder.iterdir())
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=SOON)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{' '.join(command[:2])} did not come to an end: this document was not tried")
    new = [path for path in set(folder.iterdir()) - before if path.suffix in (".tgz", ".gz", ".whl")]
    if done.returncode != 0 or not new:
        pytest.skip(f"{' '.join(command[:2])} brought nothing: this document was not tried")
    return new[0]


def python_package(folder: Path, name: str) -> Path:
    options = ["--no-deps", "--disable-pip-version-check", "-d", str(folder)]
    return fetched(folder, sys.executable, "-m", "pip", "download", "-q", *options, name)


@pytest.fixture(scope="session")
def specification(downloads: Path) -> str:
    """CommonMark's, which shows every construct of Markdown and most ways to get it wrong."""
    archive = fetched(downloads, "npm", "pack", "commonmark-spec@0.31.2", "--silent")
    with tarfile.open(archive) as package:
        member = package.extractfile("package/spec.txt")
        assert member
        return member.read().decode("utf-8")


@pytest.fixture(scope="session")
def catalogs(downloads: Path) -> dict[str, str]:
    """Translations of WTForms, as gettext's tools wrote them."""
    with zipfile.ZipFile(python_package(downloads, "wtforms==3.3.2")) as wheel:
        names = [name for name in wheel.namelist() if name.endswith(".po")]
        return {name: wheel.read(name).decode("utf-8") for name in names}


@pytest.fixture(scope="session")
def subtitles(downloads: Path) -> str:
    with tarfile.open(python_package(downloads, "pysrt==1.1.2")) as package:
        member = package.extractfile("pysrt-1.1.2/tests/static/utf-8.srt")
        assert member
        return member.read().decode("utf-8-sig")


@pytest.fixture
def same(home: Path) -> str:
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True)
    (folder / "same.yaml").write_text("description: d\nsystem: Work.\nlong: {mode: map, piece: 400}\n")
    return "same"


def identity(request: Received) -> str:
    return str(request.json["messages"][1]["content"])


def test_the_specification_of_markdown(
    gptkit: Gptkit, server: FakeServer, same: str, folder: Path, specification: str
) -> None:
    server.answer(identity)
    (folder / "spec.md").write_text(specification, "utf-8", newline="")
    assert gptkit(same, "-f", "spec.md", "--jobs", "8") == (0, specification, "")
    assert len(server.requests) > 50
    sent = "".join(identity(request) for request in server.requests)
    assert "https://spec.commonmark.org" not in sent
    assert "```````````````````````````````` example" not in sent


def test_catalogs_of_many_languages(
    gptkit: Gptkit, server: FakeServer, same: str, folder: Path, catalogs: dict[str, str]
) -> None:
    server.answer(identity)
    assert len(catalogs) > 20
    for number, (name, text) in enumerate(sorted(catalogs.items())):
        (folder / f"{number}.po").write_text(text, "utf-8", newline="")
        assert gptkit(same, "-f", f"{number}.po") == (0, text, ""), name


def test_the_subtitles_of_a_film(
    gptkit: Gptkit, server: FakeServer, same: str, folder: Path, subtitles: str
) -> None:
    server.answer(identity)
    (folder / "film.srt").write_text(subtitles, "utf-8", newline="")
    code, output, errors = gptkit(same, "-f", "film.srt")
    assert (code, output, errors) == (0, subtitles, "")
    assert len(server.requests) > 5
    assert not any("-->" in identity(request) for request in server.requests)


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_long_chinese_text(
    gptkit: Gptkit, server: FakeServer, same: str, folder: Path, encoding: str
) -> None:
    server.answer(identity)
    text = "".join(f"第{number}章\n\n{TAO_TE_CHING}，{number}。\n\n" for number in range(40))
    (folder / "道德经.txt").write_bytes(text.encode(encoding))
    assert gptkit(same, "-f", "道德经.txt") == (0, text, "")
    assert len(server.requests) > 5
