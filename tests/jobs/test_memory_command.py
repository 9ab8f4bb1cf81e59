"""`gptkit memory`: statistics, moving and removing, from the command line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from fake.program import InMemory, OnTerminal
from memory_parts import ABOUT, key

from gptkit.jobs.memory.store import MemoryStore
from gptkit.text.pieces import PieceAnswer

Keep = Callable[..., None]
TODAY = datetime.now().date().isoformat()
TMX = """<?xml version="1.0"?><tmx version="1.4"><header srclang="en"/><body><tu>
<tuv xml:lang="en"><seg>Hello</seg></tuv><tuv xml:lang="fr"><seg>Bonjour</seg></tuv></tu></body></tmx>"""


@pytest.fixture
def keep(home: Path) -> Keep:
    """Stores answers to these texts."""

    def keep(*texts: str, ago: float = 0.0, **about: str) -> None:
        kept = MemoryStore(home / "data" / "memory.db", lambda: time.time() - ago * 86400)
        for text in texts:
            kept.put(key(text), text, PieceAnswer(f"answer to {text}"), ABOUT | about)
        kept.close()

    return keep


@pytest.fixture
def found(home: Path) -> Iterator[Callable[[str], PieceAnswer | None]]:
    kept = MemoryStore(home / "data" / "memory.db")
    yield lambda text: kept.get(key(text), text, ABOUT)
    kept.close()


def test_without_a_memory_there_is_nothing_and_none_is_made(gptkit: InMemory, home: Path) -> None:
    assert gptkit("memory", "stats") == (0, "", "gptkit: the memory is empty\n")
    record = {"entries": 0, "hits": 0, "file_size": 0, "groups": []}
    assert json.loads(gptkit("memory", "stats", "--json").stdout) == record
    assert gptkit("memory", "export") == (66, "", "gptkit: there is no memory yet\n")
    assert gptkit("memory", "clear", "--yes") == (0, "removed 0 entries\n", "")
    assert gptkit("memory", "prune", "--size", "1", "--yes") == (0, "removed 0 entries\n", "")
    assert list(home.iterdir()) == []


def test_statistics(gptkit: InMemory, keep: Keep, found: Callable[[str], PieceAnswer | None]) -> None:
    keep("a", "世")
    keep("b", to="Klingon", prompt="own")
    assert found("a")
    code, output, errors = gptkit("memory", "stats")
    assert (code, output) == (
        0,
        f"translate\tm\tfr\t2\t28\t0\t{TODAY}\nown\tm\tKlingon\t1\t12\t0\t{TODAY}\n",
    )
    assert errors.startswith("gptkit: 3 entries, used 0 times, 0.")
    record = json.loads(gptkit("memory", "stats", "--json").stdout)
    assert (record["entries"], record["groups"][1]["language"]) == (3, "Klingon")


def test_statistics_on_a_terminal(screen: OnTerminal, keep: Keep) -> None:
    keep("a")
    shown = screen("memory", "stats")
    assert shown.wait_exit() == 0
    assert "COMMAND    MODEL  LANGUAGE" in shown.text
    assert "1 entry, used 0 times" in shown.text


@pytest.mark.parametrize(
    ("typed", "code", "left"),
    [("y\r", 0, None), ("是\r", 0, None), ("\r", 83, PieceAnswer("answer to a"))],
)
def test_a_terminal_is_asked(
    screen: OnTerminal,
    keep: Keep,
    found: Callable[[str], PieceAnswer | None],
    typed: str,
    code: int,
    left: PieceAnswer | None,
) -> None:
    keep("a")
    shown = screen("memory", "clear")
    shown.wait_for("Remove the whole memory? [y/N]")
    shown.send(typed)
    assert (shown.wait_exit(), found("a")) == (code, left)


def test_out_and_in_again(gptkit: InMemory, keep: Keep, folder: Path, home: Path) -> None:
    keep("a", "世")
    whole = gptkit("memory", "export")
    assert (whole.code, whole.stdout.count("\n"), whole.stderr) == (0, 3, "")
    assert gptkit("memory", "export", "-o", "out.jsonl") == (0, "", "")
    assert (folder / "out.jsonl").read_bytes() == whole.raw
    assert gptkit("memory", "clear", "--yes") == (0, "removed 2 entries\n", "")
    assert gptkit("memory", "import", "out.jsonl") == (0, "imported 2 entries\n", "")
    assert gptkit("memory", "export").raw == whole.raw
    again = gptkit("memory", "import", "-", "--json", stdin=whole.stdout)
    assert json.loads(again.stdout) == {"added": 0, "known": 2, "left_out": 0}


def test_tmx(gptkit: InMemory, folder: Path, found: Callable[[str], PieceAnswer | None]) -> None:
    (folder / "a.tmx").write_text(TMX)
    assert gptkit("memory", "import", "a.tmx") == (
        2,
        "",
        "gptkit: the TMX does not say which prompt its texts are for\nhint: name it with --prompt\n",
    )
    assert found("Hello") is None
    assert gptkit("memory", "import", "a.tmx", "--prompt", "translate") == (0, "imported 1 entry\n", "")
    assert found(" Hello\n") == PieceAnswer(" Bonjour\n", foreign=True)
    written = gptkit("memory", "export", "--format", "tmx")
    assert (written.code, written.stdout.count("<tu ")) == (0, 1)
    second = gptkit("memory", "import", "-", stdin=written.stdout)
    assert second == (0, "imported 0 entries, 1 already there\n", "")
    other = gptkit("memory", "import", "--prompt", "legal", "a.tmx")
    assert other == (0, "imported 1 entry\n", "")


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("import", "none"), 66, "'none': no such file"),
        (("import", "."), 74, "'.': is a directory"),
        (("import", "bad.jsonl"), 65, "'bad.jsonl': line 1: it is not JSON"),
        (("import", "bad.tmx"), 65, "'bad.tmx': line 1: it is not TMX"),
        (("import", "empty"), 65, "'empty': it is empty"),
        (("import", "bad.jsonl", "--prompt", "a"), 2, "--prompt is for TMX, which 'bad.jsonl' is not"),
        (("export", "--format", "tmx", "--json"), 2, "--json and --format tmx do not go together"),
        (("export", "-o", "."), 2, "'.': the output is a folder"),
        (("prune",), 2, "either --before or --size must be given"),
        (("prune", "--before", "soon", "--yes"), 2, "--before: 'soon' is not a day"),
        (("prune", "--size", "1"), 83, "nothing was removed: there is no terminal to ask at"),
        (("clear",), 83, "nothing was removed: there is no terminal to ask at"),
    ],
)
def test_what_cannot_be(
    gptkit: InMemory, keep: Keep, folder: Path, args: tuple[str, ...], code: int, says: str
) -> None:
    keep("a")
    (folder / "bad.jsonl").write_text("nonsense\n")
    (folder / "bad.tmx").write_text("<html/>")
    (folder / "empty").touch()
    result = gptkit("memory", *args)
    assert (result.code, result.stdout) == (code, "")
    assert result.stderr.splitlines()[0] == f"gptkit: {says}"
    assert json.loads(gptkit("memory", "stats", "--json").stdout)["entries"] == 1


def test_the_store_is_no_output(gptkit: InMemory, keep: Keep, home: Path) -> None:
    keep("a")
    before = (home / "data" / "memory.db").read_bytes()
    assert gptkit("memory", "export", "-o", str(home / "data" / "memory.db")).code == 2
    assert (home / "data" / "memory.db").read_bytes() == before


def test_pruning(gptkit: InMemory, keep: Keep, found: Callable[[str], PieceAnswer | None]) -> None:
    keep("old", ago=40)
    keep("new")
    assert gptkit("memory", "prune", "--before", "30d", "--yes") == (0, "removed 1 entry\n", "")
    assert (found("old"), found("new")) == (None, PieceAnswer("answer to new"))
    assert gptkit("memory", "prune", "--size", "0", "--yes", "--json").stdout == '{\n  "entries": 1\n}\n'


def test_a_damaged_store_is_not_removed(gptkit: InMemory, keep: Keep, home: Path) -> None:
    keep("a")
    store = home / "data" / "memory.db"
    store.write_bytes(b"damaged")
    for command in (("clear", "--yes"), ("stats",), ("export",), ("prune", "--size", "1", "--yes")):
        result = gptkit("memory", *command)
        assert (result.code, result.stdout, len(result.stderr.splitlines())) == (74, "", 2), result
        assert store.read_bytes() == b"damaged"
