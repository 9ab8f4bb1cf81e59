"""What a prompt works on: words, standard input and files, and what arrives of them at the server."""

from __future__ import annotations

from pathlib import Path

import pytest
from asking import NO_INPUT, SAY, body, failure, prompt
from fake.program import InMemory
from fake.server import FakeServer

FILES = "description: x\nuser: '{% for f in files %}[{{ f.name }}|{{ f.text }}]{% endfor %}'\n"
OK = (0, "Hi\n", "")


@pytest.fixture(autouse=True)
def say(home: Path) -> None:
    prompt(home)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["hello"], "hello"),
        (["你好，世界", "🌍"], "你好，世界 🌍"),
        (["two", "words"], "two words"),
        (["  kept  ", "apart"], "  kept   apart"),
        (["a\tb \r\nc\n"], "a\tb \r\nc\n"),
        (["10", "-", "3"], "10 - 3"),
        (["--", "--json", "-x"], "--json -x"),
        (["{{ text }}", "{% raw %}", "[bold]"], "{{ text }} {% raw %} [bold]"),
    ],
)
def test_words_are_the_text(gptkit: InMemory, server: FakeServer, words: list[str], text: str) -> None:
    server.say("Hi")
    assert gptkit("say", *words) == OK
    assert server.request.json == body(text)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"x", "x"),
        ("你好\n".encode(), "你好\n"),
        (b"a\r\nb\r\n", "a\r\nb\r\n"),
        (b"\ta  \n\n b \t\n", "\ta  \n\n b \t\n"),
        (b"a\rb\x0bc\x0cd", "a\rb\x0bc\x0cd"),
        (b"\xef\xbb\xbf\xe4\xbd\xa0", "你"),
        ("\ufeff你好\r\n".encode("utf-16-le"), "你好\r\n"),
        ("\ufeff你".encode("utf-16-be"), "你"),
        (b"\x84\x31\x95\x33" + "你好".encode("gb18030"), "你好"),
        ("e\u0301 \u2028 \u200b".encode(), "e\u0301 \u2028 \u200b"),
    ],
)
@pytest.mark.parametrize("way", ["standard input", "file"])
def test_every_byte_of_a_text_arrives(
    gptkit: InMemory, server: FakeServer, folder: Path, data: bytes, text: str, way: str
) -> None:
    server.say("Hi")
    (folder / "文.txt").write_bytes(data)
    assert (gptkit("say", stdin=data) if way != "file" else gptkit("say", "-f", "文.txt")) == OK
    assert server.request.json == body(text)


@pytest.mark.parametrize(
    ("texts", "joined"),
    [
        (["one\n"], "one\n"),
        (["one\n", "two\n"], "one\ntwo\n"),
        (["one", "two"], "one\ntwo"),
        (["a", "a"], "a\na"),
        (["one\r\n", "two"], "one\r\ntwo"),
        (["one\n\n", "two\n\n\n"], "one\n\ntwo\n\n\n"),
        (["one\n", "", " \n", "two\n"], "one\ntwo\n"),
    ],
)
def test_files_are_joined_in_order(
    gptkit: InMemory, server: FakeServer, folder: Path, texts: list[str], joined: str
) -> None:
    server.say("Hi")
    for number, text in enumerate(texts):
        (folder / f"{number}.txt").write_bytes(text.encode())
    named = [part for number in range(len(texts)) for part in ("-f", f"{number}.txt")]
    assert gptkit("say", *named) == OK
    assert server.request.json == body(joined)


def test_a_template_sees_each_file_by_its_name(
    gptkit: InMemory, server: FakeServer, home: Path, folder: Path
) -> None:
    prompt(home, FILES)
    (folder / "a.txt").write_text("A")
    (folder / "二.txt").write_text("二")
    (folder / "b\udce9.txt").write_text("B")
    server.say("Hi", times=3)
    assert gptkit("say", "-f", "a.txt", "-f", "-", "--file", str(folder / "二.txt"), stdin="in") == OK
    assert gptkit("say", "-f", "b\udce9.txt") == OK
    assert gptkit("say", "word", "s") == OK
    assert [request.user for request in server.requests] == [
        f"[a.txt|A][standard input|in][{folder}/二.txt|二]",
        "[b\ufffd.txt|B]",
        "[words|word s]",
    ]


REQUESTED = "make it warmer\n\ntext"


@pytest.mark.parametrize(
    ("args", "stdin", "user"),
    [
        (["make", "it", "warmer"], "text", REQUESTED),
        (["make it warmer", "-f", "file"], None, REQUESTED),
        (["-f", "file", "make it warmer"], "not read", REQUESTED),
        (["-f", "file"], "not read", "text"),
        (["-f", "file", "--stdin"], "more", "text\nmore"),
        (["-f", "-", "-f", "file"], "more", "more\ntext"),
        (["-", "-f", "file"], "more", "text\nmore"),
        (["-f", "-", "--stdin", "-"], "text", "text"),
        (["-"], "text", "text"),
        (["--stdin"], "text", "text"),
        (["-f", "-"], "text", "text"),
        (["make it warmer", "-"], "text", REQUESTED),
        (["-", "make", "it", "warmer"], "text", REQUESTED),
        (["--", "make it warmer", "-"], "text", REQUESTED),
        (["make it warmer", "--stdin"], "text", REQUESTED),
        (["10", "-", "3"], "text", "10 - 3\n\ntext"),
    ],
)
def test_words_beside_a_text_are_the_request(
    gptkit: InMemory, server: FakeServer, folder: Path, args: list[str], stdin: str | None, user: str
) -> None:
    (folder / "file").write_text("text")
    server.say("Hi")
    assert gptkit("say", *args, stdin=stdin) == OK
    assert server.request.json == body(user)


@pytest.mark.parametrize(
    ("args", "stdin", "errors"),
    [
        ([], None, NO_INPUT),
        (["  ", "\t\n"], None, NO_INPUT),
        ([""], None, NO_INPUT),
        (["\u3000"], None, NO_INPUT),
        ([], "", failure("no input: nothing in standard input")),
        ([], " \r\n\t\u3000\n", failure("no input: nothing in standard input")),
        ([], b"\xef\xbb\xbf", failure("no input: nothing in standard input")),
        (["-"], None, failure("no input: nothing in standard input")),
        (["words", "-"], "", failure("no input: nothing in standard input")),
        (["words", "--stdin"], None, failure("no input: nothing in standard input")),
        (["-f", "empty"], "ignored", failure("no input: nothing in 'empty'")),
        (["words", "-f", "empty"], "ignored", failure("no input: nothing in 'empty'")),
        (["-f", "empty", "-f", "-"], "\n", failure("no input: nothing in 'empty', standard input")),
        (["-f", "missing"], None, failure("'missing': no such file")),
        (["-f", "empty/missing"], None, failure("'empty/missing': no such file")),
        (["-f", "."], None, failure("'.': it is a folder")),
        (["-f", "文件"], None, failure("'文件': no such file")),
        (["-f", "a\x1b[31m"], None, failure("'a␛[31m': no such file")),
    ],
)
def test_without_input_nothing_is_sent(
    gptkit: InMemory,
    server: FakeServer,
    folder: Path,
    args: list[str],
    stdin: str | bytes | None,
    errors: str,
) -> None:
    (folder / "empty").write_bytes(b" \n")
    assert gptkit("say", *args, stdin=stdin) == (66, "", errors)
    assert server.requests == []


def test_words_go_on_without_an_empty_standard_input(gptkit: InMemory, server: FakeServer) -> None:
    """A program that starts others often hands on an empty pipe; only who asks for more is told."""
    server.say("Hi", times=3)
    note = "gptkit: standard input was empty; the words are the input\n"
    assert gptkit("say", "words", stdin="\n") == OK
    assert gptkit("say", "words", "-q", stdin="") == OK
    code, output, errors = gptkit("say", "words", "-v", stdin="")
    assert (code, output, errors.startswith(note)) == (0, "Hi\n", True)
    assert [request.user for request in server.requests] == ["words"] * 3


GB = "简体中文，没有标记".encode("gb18030")
UNCERTAIN = b"\xc4\xe3"


@pytest.mark.parametrize(
    ("args", "stdin", "expected"),
    [
        ([], UNCERTAIN, (65, "gptkit: standard input: not UTF-8", "--encoding")),
        (["-f", "文"], None, (65, "gptkit: '文': not UTF-8", "--encoding")),
        (["\udcc4\udce3"], None, (65, "gptkit: an argument: not UTF-8", "--encoding")),
        (["--encoding", "big5", "-f", "文"], None, (65, "gptkit: '文': not valid big5", "encoding")),
        (["--encoding", "klingon"], "x", (2, "gptkit: unknown encoding 'klingon'\n", "known are utf-8")),
        (["--encoding", ""], "x", (2, "gptkit: unknown encoding ''\n", "known are utf-8")),
        ([], b"%PDF-1.7\n", (65, "gptkit: standard input: it is a damaged PDF\n", "save a new copy")),
        ([], b"a\0b", (65, "gptkit: standard input: not text: NUL at byte 1\n", "--encoding utf-16-le")),
        (["-f", "文", "-f", "-"], b"a\0b", (65, "gptkit: '文': not UTF-8", "--encoding")),
    ],
)
def test_what_cannot_be_decoded_is_not_sent(
    gptkit: InMemory,
    server: FakeServer,
    folder: Path,
    args: list[str],
    stdin: str | bytes | None,
    expected: tuple[int, str, str],
) -> None:
    (folder / "文").write_bytes(b"\x81\xff" if "big5" in args else UNCERTAIN)
    code, start, hint = expected
    result = gptkit("say", *args, stdin=stdin)
    assert (result.code, result.stdout, result.stderr.count("\n")) == (code, "", 2)
    assert result.stderr.startswith(start)
    assert hint in result.stderr.splitlines()[1].removeprefix("hint: ")
    assert server.requests == []


def test_a_named_encoding_counts_for_all_input(
    gptkit: InMemory, server: FakeServer, home: Path, folder: Path
) -> None:
    prompt(home, SAY + "options: {terms: {type: file}}\nuser: '{{ request }}|{{ text }}|{{ terms }}'\n")
    (folder / "gb").write_bytes(GB)
    server.say("Hi")
    argument = "你好".encode("gb18030").decode("utf-8", "surrogateescape")
    args = ("say", argument, "--encoding", "GB2312", "--terms", "gb", "-f", "gb", "-f", "-")
    assert gptkit(*args, stdin=GB + b"\n") == OK
    assert server.request.user == "你好|简体中文，没有标记\n简体中文，没有标记\n|简体中文，没有标记"
