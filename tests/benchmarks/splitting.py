"""What taking documents apart costs: CPU per megabyte and peak memory, ordinary documents and hard ones.

    python tests/benchmarks/splitting.py [MEGABYTES ...] [--only NAME]

Every case runs in a process of its own and is given its document in blocks of 64 KiB as it reads it, so that
the memory is that of the splitting alone. A case that takes more than 60 s of CPU is given up.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from random import Random

from gptkit.encodings.stream import split_lines
from gptkit.text.formats import format_named

BLOCK = 1 << 16
MOST = 1500
PATIENCE = 60
WORDS = "the of and to in a is that for it as was with be by on not he his but at are this have from".split()  # noqa: SIM905
CLASSIC = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳云腾致雨露结为霜金生丽水玉出昆冈"
Part = Callable[[int], str]
"""A part of a document by its number; the parts of a case are repeated until it is long enough."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("megabytes", type=float, nargs="*", default=[1.0, 4.0])
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    sizes = options.megabytes
    heads = " | ".join(f"CPU s/MB at {size:g} MB | memory" for size in sizes)
    print(f"| case | {heads} |\n| :-- | {' | '.join(['--: | --:'] * len(sizes))} |")
    for name, start, part, end in CASES:
        if options.only in name:
            cells = [measured(name, start, part, end, size) for size in sizes]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def measured(name: str, start: str, part: Part, end: str, megabytes: float) -> str:
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        os.write(writer, run(name, start, part, end, megabytes).encode())
        os._exit(0)
    os.close(writer)
    said = os.read(reader, 1000).decode()
    os.close(reader)
    os.waitpid(child, 0)
    return said or f"over {PATIENCE} s | -"


def run(name: str, start: str, part: Part, end: str, megabytes: float) -> str:
    known = format_named(name.partition(",")[0])
    assert known is not None
    for _ in known.pieces(split_lines([start, *(part(number) for number in range(20)), end]), MOST):
        pass
    body = "".join(part(number) for number in range(max(1, BLOCK // len(part(1)))))
    size = int(megabytes * 1e6)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    given = 0
    for piece in known.pieces(split_lines(document(start, body, end, size)), MOST):
        given += len(piece.source)
    seconds = time.process_time() - began
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert given >= size // 4
    per = len(body.encode("utf-8", "surrogatepass")) / len(body)
    return f"{seconds / (given * per / 1e6):.2f} | {memory:.0f} MB"


def document(start: str, body: str, end: str, size: int) -> Iterator[str]:
    yield start
    bytes_of_body = len(body.encode("utf-8", "surrogatepass"))
    for _ in range(max(1, round(size / bytes_of_body))):
        yield body
    yield end


def words(number: int, count: int = 30) -> str:
    return " ".join(Random(number).choices(WORDS, k=count))


def sentence(number: int) -> str:
    return f"{words(number, 12).capitalize()}, {number % 97}. "


def chinese(number: int, length: int = 40) -> str:
    return "".join(Random(number).choices(CLASSIC, k=length))


def paragraph(number: int) -> str:
    return "".join(sentence(number * 7 + at) for at in range(7)).rstrip() + "\n\n"


def ordinary(number: int) -> str:
    head = f"## Chapter {number}\n\n" if number % 20 == 1 else ""
    link = f"says [the book](https://example.org/{number}) with `code {number}`"
    return f"{head}{words(number, 70).capitalize()}, {link}.\n\n"


def cue(number: int) -> str:
    time_of = f"{number // 60:02}:{number % 60:02}"
    return f"00:{time_of},000 --> 00:{time_of},900\n{sentence(number)}\n\n"


def nested(number: int) -> str:
    return (
        "  " * (number % 5) + f"- {sentence(number)}\n\n" + "  " * (number % 5) + f"  {sentence(number)}\n\n"
    )


def deep_html(number: int) -> str:
    return "<div>" * 20 + f"<p>{sentence(number)}</p>" + "</div>" * 20 + "\n"


SILENT = '<a href="/x"></a><b></b><img src="/a.png"><i class="x"></i>'
CASES: tuple[tuple[str, str, Part, str], ...] = (
    ("markdown, ordinary", "", ordinary, ""),
    ("markdown, quotations", "", lambda n: f"> {sentence(n)}\n>\n> {sentence(n + 1)}\n\n", ""),
    ("markdown, one quotation", "", lambda n: f"> {sentence(n)}\n>\n", ""),
    (
        "markdown, nested quotations",
        "",
        lambda n: "> " * (n % 6 + 1) + sentence(n) + "\n" + "> " * (n % 6 + 1) + "\n",
        "",
    ),
    ("markdown, lazy quotations", "", lambda n: f"> {sentence(n)}\n{sentence(n)}\n\n", ""),
    ("markdown, loose nested list", "", nested, ""),
    ("markdown, tight list", "", lambda n: f"- {sentence(n)}\n", ""),
    ("markdown, loose list", "", lambda n: f"- {sentence(n)}\n\n", ""),
    ("markdown, deep list", "", lambda n: "  " * (n % 40) + f"- {sentence(n)}\n", ""),
    ("markdown, list with code", "", lambda n: f"1. {sentence(n)}\n\n   ```\n   code\n   ```\n\n", ""),
    (
        "markdown, one table",
        "| a | b | c |\n|---|---|---|\n",
        lambda n: f"| {words(n, 5)} | `x{n}` | {n} |\n",
        "",
    ),
    (
        "markdown, wide table",
        "",
        lambda n: (
            ("|" + " a b |" * 1000 + "\n|" + "---|" * 1000 + "\n")
            if n % 3 == 0
            else "|" + " cd |" * 1000 + "\n"
        ),
        "",
    ),
    ("markdown, bare table", "a | b | c\n--|---|--\n", lambda n: f"{words(n, 5)} | `x{n}` | {n}\n", ""),
    ("markdown, one paragraph", "", lambda n: sentence(n).strip() + "\n", ""),
    ("markdown, one line", "", sentence, ""),
    ("markdown, one line without spaces", "", lambda n: "abcdefgh", ""),
    ("markdown, one line of marks", "", lambda n: f"`c{n}` ", ""),
    ("markdown, one block of code", "```\n", lambda n: f"x = {n}\n", "```\n"),
    ("markdown, indented code", "", lambda n: f"    x = {n}\n", ""),
    ("markdown, many blocks of code", "", lambda n: f"{sentence(n)}\n\n```\nx = {n}\n```\n\n", ""),
    ("markdown, masks alone", "", lambda n: f"`a{n}` {{x}}\n\n", ""),
    ("markdown, headings alone", "", lambda n: f"{'#' * (n % 6 + 1)} {sentence(n)}\n", ""),
    ("markdown, setext headings", "", lambda n: f"{sentence(n).strip()}\n-----\n", ""),
    (
        "markdown, link references",
        "",
        lambda n: f"See [the {n}th thing][r{n}] and [r{n}].\n\n[r{n}]: /x/{n} 'T'\n\n",
        "",
    ),
    (
        "markdown, shortcut links",
        "",
        lambda n: f"See [the {n}th thing], {sentence(n)}\n\n[the {n}th thing]: /x/{n}\n",
        "",
    ),
    ("markdown, definitions alone", "", lambda n: f"[r{n}]: https://example.org/{n}\n", ""),
    (
        "markdown, footnotes",
        "",
        lambda n: f"{sentence(n)}[^{n}]\n\n[^{n}]: {sentence(n)}\n\n    More.\n\n",
        "",
    ),
    ("markdown, HTML blocks", "", lambda n: f'<div class="x">\n<p>{sentence(n)}</p>\n</div>\n\n', ""),
    ("markdown, one HTML block", "<div>\n", lambda n: f"<p>{sentence(n)}</p>\n", "</div>\n"),
    ("markdown, formulas", "", lambda n: f"{sentence(n)} $x^{n}$\n\n$$\nx^{n}\n$$\n\n", ""),
    ("markdown, open brackets", "", lambda n: "[", ""),
    ("markdown, brackets", "", lambda n: "[a](", ""),
    ("markdown, unclosed marks", "", lambda n: "`` ` *a _b <c $d ", ""),
    ("markdown, stars", "", lambda n: "*a **b ", ""),
    ("markdown, Chinese", "", lambda n: chinese(n) + "，" + chinese(n + 1) + "。\n\n", ""),
    ("markdown, Chinese without spaces", "", chinese, ""),
    ("markdown, CRLF", "", lambda n: ordinary(n).replace("\n", "\r\n"), ""),
    ("markdown, mixed ends", "", lambda n: ordinary(n).replace("\n", ("\n", "\r\n", "\r")[n % 3]), ""),
    ("markdown, CR in a list", "", lambda n: f"- {sentence(n)}\r", ""),
    ("markdown, NUL and surrogates", "", lambda n: f"a\x00b \udc80 {sentence(n)}\n\n", ""),
    ("markdown, blank lines", "", lambda n: "\n", ""),
    ("markdown, spaces", "", lambda n: " ", ""),
    ("markdown, rules", "", lambda n: "***\n", ""),
    ("markdown, comment", "<!--\n", lambda n: f"{sentence(n)}\n\n", "-->\n"),
    ("markdown, front matter", "---\n", lambda n: f"key{n}: value\n", "---\n"),
    ("text, ordinary", "", paragraph, ""),
    ("text, one paragraph", "", lambda n: sentence(n).strip() + "\n", ""),
    ("text, one line", "", sentence, ""),
    ("text, one line without spaces", "", lambda n: "abcdefgh", ""),
    ("text, one number", "", lambda n: "12345678", ""),
    ("text, masks alone", "", lambda n: "{x} https://a.b/c %s\n", ""),
    ("text, Chinese without spaces", "", chinese, ""),
    ("text, Chinese", "", lambda n: chinese(n) + "。\n\n", ""),
    ("text, mixed ends", "", lambda n: paragraph(n).replace("\n", ("\n", "\r\n", "\r")[n % 3]), ""),
    ("text, NUL and surrogates", "", lambda n: f"a\x00b \udc80 {sentence(n)}\n\n", ""),
    ("text, blank lines", "", lambda n: "\n", ""),
    ("text, combining", "", lambda n: "e\u0301\u0301", ""),
    (
        "html, ordinary",
        "<html><body>",
        lambda n: f"<h2>{n}</h2>\n<p>{sentence(n)} <b>bold</b> <a href='/{n}'>link</a>.</p>\n",
        "",
    ),
    ("html, masks alone", "<html>", lambda n: SILENT, ""),
    ("html, masks in paragraphs", "<html>", lambda n: f"<p>{SILENT}</p>\n", ""),
    ("html, masks in a text", "<p>word ", lambda n: SILENT + "<i>a</i>", ""),
    ("html, cells", "<table>", lambda n: f"<tr><td>{n}</td><td>a {n}</td></tr>\n", ""),
    ("html, silent cells", "<table>", lambda n: f"<tr><td>{n}</td><td></td></tr>\n", ""),
    ("html, nested", "<html>", deep_html, ""),
    ("html, never closed", "<html>", lambda n: f"<div><b>{words(n, 3)}", ""),
    ("html, one paragraph", "<p>", sentence, "</p>"),
    ("html, one line without spaces", "<p>", lambda n: "abcdefgh", "</p>"),
    ("html, Chinese without spaces", "<p>", chinese, "</p>"),
    ("html, script", "<script>", lambda n: f"var a{n} = '<p>';\n", "</script>"),
    ("html, entities", "<p>", lambda n: "&amp;&lt;&#12; ", ""),
    ("html, open tag", "<a ", lambda n: f'x{n}="y" ', ""),
    ("html, angles", "<p>", lambda n: "< ", ""),
    ("html, comment", "<!--", sentence, ""),
    ("html, comments", "<p>", lambda n: f"<!-- {n} -->", ""),
    ("html, pre", "<pre>", sentence, ""),
    ("srt, ordinary", "", lambda n: f"{n}\n{cue(n)}", ""),
    ("srt, CRLF", "", lambda n: f"{n}\n{cue(n)}".replace("\n", "\r\n"), ""),
    ("srt, one cue", "1\n00:00:01,000 --> 00:00:02,000\n", lambda n: sentence(n) + "\n", ""),
    ("srt, one line", "1\n00:00:01,000 --> 00:00:02,000\n", sentence, ""),
    ("srt, timings alone", "", lambda n: f"{n}\n00:00:01,000 --> 00:00:02,000\n\n", ""),
    ("srt, markup", "", lambda n: f"{n}\n00:00:01,000 --> 00:00:02,000\n<i>{{\\an8}}a</i> <b>b</b>\n\n", ""),
    ("srt, Chinese", "", lambda n: f"{n}\n00:00:01,000 --> 00:00:02,000\n{chinese(n, 12)}\n\n", ""),
    ("vtt, ordinary", "WEBVTT\n\n", lambda n: cue(n).replace(",", "."), ""),
    ("vtt, notes", "WEBVTT\n\n", lambda n: f"NOTE {sentence(n)}\n\n", ""),
    ("vtt, one line", "WEBVTT\n\n00:01.000 --> 00:02.000\n", sentence, ""),
    (
        "po, ordinary",
        'msgid ""\nmsgstr "Plural-Forms: nplurals=2; plural=n != 1;\\n"\n\n',
        lambda n: f'#: a.c:{n}\nmsgid "{sentence(n)} %d"\nmsgstr ""\n\n',
        "",
    ),
    ("po, done", "", lambda n: f'msgid "{sentence(n)}"\nmsgstr "x"\n\n', ""),
    (
        "po, plurals",
        "",
        lambda n: (
            f'msgid "One {sentence(n)}"\nmsgid_plural "%d {sentence(n)}"\nmsgstr[0] ""\nmsgstr[1] ""\n\n'
        ),
        "",
    ),
    ("po, one text", 'msgid ""\n', lambda n: f'"{sentence(n)}"\n', 'msgstr ""\n'),
    ("po, one line", 'msgid "', sentence, '"\nmsgstr ""\n'),
    ("po, comments", "", lambda n: f"# {sentence(n)}\n", ""),
    ("po, Chinese", "", lambda n: f'msgid "{chinese(n)}"\nmsgstr ""\n\n', ""),
    (
        "json, ordinary",
        "{\n",
        lambda n: f'  "key{n}": {{"title": "{sentence(n)}", "id": {n}}},\n',
        '"end": 1}\n',
    ),
    ("json, minified", "[", lambda n: f'{{"title":"{sentence(n)}","id":{n}}},', "1]"),
    ("json, lines", "", lambda n: f'{{"title": "{sentence(n)}"}}\n', ""),
    ("json, numbers", "[", lambda n: f"{n},", "1]"),
    ("json, codes", "[", lambda n: f'"id_{n}",', "1]"),
    ("json, one text", '["', sentence, '"]'),
    ("json, one text without spaces", '["', lambda n: "字", '"]'),
    ("json, one escaped text", '["', lambda n: '\\u4e2d\\n\\"', '"]'),
    ("json, masks", '["', lambda n: "{x} ", '"]'),
    ("json, nested", "[" * 5000 + "1", lambda n: f', "{sentence(n)}"', "]" * 5000),
    ("json, Chinese", "[", lambda n: f'"{chinese(n)}",', "1]"),
    ("yaml, ordinary", "en:\n", lambda n: f"  key{n}: {words(n, 8)}\n", ""),
    ("yaml, list", "", lambda n: f"- {words(n, 8)}\n", ""),
    ("yaml, literal", "a: |\n", lambda n: f"  {sentence(n).strip()}\n", ""),
    ("yaml, folded", "a: >\n", lambda n: f"  {sentence(n).strip()}\n", ""),
    ("yaml, many literals", "", lambda n: f"- |\n  {sentence(n)}\n  {sentence(n)}\n", ""),
    ("yaml, double", 'a: "', sentence, '"\n'),
    ("yaml, single", "a: '", sentence, "'\n"),
    ("yaml, plain", "a: ", lambda n: words(n) + " ", "\n"),
    ("yaml, flow", "[", lambda n: f"{words(n, 5)}, ", "end]\n"),
    ("yaml, comments", "", lambda n: f"# {sentence(n)}\n", "a: b\n"),
    ("yaml, numbers", "", lambda n: f"- {n}\n", ""),
    (
        "yaml, deep",
        "",
        lambda n: "  " * (n % 100) + f"k{n}:\n" if n % 100 < 99 else "  " * 99 + f"k: {words(n, 8)}\n",
        "",
    ),
    ("yaml, Chinese", "", lambda n: f"- {chinese(n)}\n", ""),
)

if __name__ == "__main__":
    main()
