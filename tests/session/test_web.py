"""Pages as input: what arrives of them at the server, which addresses are refused, how failures are told."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import body, failure, prompt, settings
from document_files import NOTICE, RENT, make_pdf
from fake.certificates import Authority
from fake.connection import Step, pause
from fake.program import InMemory
from fake.proxy import HttpProxy
from fake.server import FakeServer
from fake.wire import http_head, response

from gptkit.session import web
from gptkit.session.web import is_public

NEWS = "".join(
    f"<p>Paragraph {n}: the seventh line opens in March, with twenty-one stations.</p>" for n in range(6)
)
PAGE = (
    "<!DOCTYPE html><html><head><title>Line seven - News</title></head><body><nav><a href=/>Home</a>"
    f"<a href=/s>Sport</a></nav><article><h1>Line seven</h1>{NEWS}</article><footer>Imprint</footer></body>"
)
CHINESE = "".join(
    f"<p>第{n}段：地铁七号线将于三月开通，全长三十公里，沿途设二十一座车站，预计每日客流四十万人次。</p>"
    for n in range(6)
)
CHINESE_PAGE = (
    f"<html><head><meta charset=gb18030><title>七号线</title></head><body><article>{CHINESE}</article></body>"
)


@pytest.fixture
def site(home: Path) -> Iterator[FakeServer]:
    """A site on loopback that the settings name."""
    prompt(home)
    with FakeServer(prefix="") as running:
        settings(home, f"fetch_hosts: ['127.0.0.1:{running.port}']\n")
        yield running


def page(
    site: FakeServer, content: Any, kind: str = "text/html", status: int = 200, encoding: str = ""
) -> None:
    headers = {"Content-Encoding": encoding} if encoding else {}
    site.raw([response(status, content, headers, content_type=kind)])


def test_the_main_text_of_a_page_is_the_input(gptkit: InMemory, server: FakeServer, site: FakeServer) -> None:
    page(site, PAGE)
    server.say("Hi")
    assert gptkit("say", "what opens?", "-f", f"{site.origin}/news/?id=7&q=地铁") == (0, "Hi\n", "")
    request, sent = site.request, server.request.user
    assert (request.method, request.target) == ("GET", "/news/?id=7&q=%E5%9C%B0%E9%93%81")
    assert "authorization" not in request.headers
    assert sent.startswith("what opens?\n\nLine seven\n\nParagraph 0: the seventh line opens in March")
    assert "Sport" not in sent
    assert "Imprint" not in sent


@pytest.mark.parametrize(
    ("content", "kind", "text"),
    [
        ("# Notes\n\n- 你好\n", "text/markdown", "# Notes\n\n- 你好\n"),
        ('{"a": [1]}', "application/json", '{"a": [1]}'),
        ("你好".encode("gb18030"), "text/plain; charset=GB18030", "你好"),
        ("你好".encode("big5"), "text/plain; charset=big5", "你好"),
        ("plain é".encode(), "text/plain; charset=gb2312", "plain é"),  # which is not true
    ],
)
def test_texts_stay_as_they_are(
    gptkit: InMemory, server: FakeServer, site: FakeServer, content: str | bytes, kind: str, text: str
) -> None:
    page(site, content, kind)
    server.say("Hi")
    assert gptkit("say", "-f", f"{site.origin}/x") == (0, "Hi\n", "")
    assert server.request.json == body(text)


@pytest.mark.parametrize("kind", ["text/html", "text/html; charset=gb18030", "text/html; charset=utf-8"])
def test_a_chinese_page_in_gb18030(gptkit: InMemory, server: FakeServer, site: FakeServer, kind: str) -> None:
    page(site, CHINESE_PAGE.encode("gb18030"), kind)
    server.say("好")
    assert gptkit("say", "-f", f"{site.origin}/七号线") == (0, "好\n", "")
    assert server.request.user.startswith("第0段：地铁七号线将于三月开通")


def test_a_pdf_goes_through_the_readers(gptkit: InMemory, server: FakeServer, site: FakeServer) -> None:
    page(site, make_pdf(), "application/octet-stream")
    server.say("Hi")
    assert gptkit("say", "-f", f"{site.origin}/download") == (0, "Hi\n", "")
    assert RENT in server.request.user
    assert NOTICE in server.request.user


def test_compressed_and_redirected(gptkit: InMemory, server: FakeServer, site: FakeServer) -> None:
    site.raw([response(302, "", {"Location": "/new"})])
    page(site, gzip.compress(b"hello"), "text/plain", encoding="gzip")
    server.say("Hi")
    assert gptkit("say", "-f", f"{site.origin}/old") == (0, "Hi\n", "")
    assert [request.target for request in site.requests] == ["/old", "/new"]
    assert server.request.json == body("hello")


def test_over_tls_with_the_certificates_of_the_settings(
    gptkit: InMemory, server: FakeServer, home: Path, tmp_path: Path, authority: Authority
) -> None:
    prompt(home)
    settings(home, "fetch_hosts: [localhost]\n")
    file = authority.write(tmp_path / "ca.pem")
    with FakeServer(tls=authority.server(), prefix="", name="localhost") as secure:
        page(secure, "hello", "text/plain")
        server.say("Hi")
        env = {"SSL_CERT_FILE": str(file)}
        assert gptkit("say", "-f", f"{secure.origin}/x", env=env) == (0, "Hi\n", "")
        code, _, errors = gptkit("say", "-f", f"{secure.origin}/x")
        assert code == 76
        host = f"localhost:{secure.port}"
        assert errors.startswith(f"gptkit: '{host}': TLS: certificate of 'localhost': ")


def test_questions_cite_the_address_and_the_paragraph(
    gptkit: InMemory, server: FakeServer, site: FakeServer
) -> None:
    page(site, CHINESE_PAGE.encode("gb18030"), "text/html; charset=gb18030")
    url = f"{site.origin}/news"
    code, output, errors = gptkit("qa", "七号线何时开通？", url, "--retrieve-only", "--json")
    assert (code, errors) == (0, "")
    first = json.loads(output)[0]
    assert first["file"] == url
    assert first["place"].startswith(f"{url} par.1")
    assert first["heading"] == "news / 七号线"


SPELLINGS = (
    "127.0.0.1", "localhost", "x.localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1",
)  # fmt: skip


@pytest.mark.parametrize("host", SPELLINGS)
def test_loopback_is_refused_in_every_spelling(
    gptkit: InMemory, server: FakeServer, home: Path, host: str
) -> None:
    prompt(home)
    with FakeServer(prefix="") as site:
        code, output, errors = gptkit("say", "-f", f"http://{host}:{site.port}/")
    assert (code, output) == (2, "")
    assert f"'{host}:{site.port}': " in errors
    assert "is not public\nhint: 'gptkit config set fetch_hosts " in errors
    assert site.connections == []
    assert server.requests == []


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:{port}/x", "http://x.localhost:{port}/", "http://10.1.2.3/", "http://[fd00::1]/",
                 "http://169.254.169.254/latest/meta-data/", "http://[fec0::1]/"]
)  # fmt: skip
def test_a_redirect_to_an_address_that_is_not_public_is_refused(
    gptkit: InMemory, server: FakeServer, site: FakeServer, location: str
) -> None:
    with FakeServer(prefix="") as inner:
        site.raw([response(302, "", {"Location": location.format(port=inner.port)})])
        code, _, errors = gptkit("say", "-f", f"{site.origin}/")
    assert code == 76
    assert "': a redirect to " in errors
    assert errors.endswith(", which is not public\n")
    assert inner.connections == []


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://x/"])
def test_a_redirect_to_anything_but_a_page_is_refused(
    gptkit: InMemory, site: FakeServer, location: str
) -> None:
    site.raw([response(301, "", {"Location": location})])
    told = failure(f"'{location}': not an http or https address")
    assert gptkit("say", "-f", f"{site.origin}/") == (76, "", told)


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("http://me:secret@x.example/", "'x.example': an address with a user or a password is not fetched"),
        (
            "http://me:secret@x.example:99999/",
            "'http://me:****@x.example:99999/': not an http or https address",
        ),
        ("http://me:secret@[x/", "'{host}': a redirect to 'http://me:****@[x/'"),
    ],
)
def test_a_redirect_shows_no_password(gptkit: InMemory, site: FakeServer, location: str, told: str) -> None:
    site.raw([response(302, "", {"Location": location})])
    expected = failure(told.format(host=f"127.0.0.1:{site.port}"))
    assert gptkit("say", "-f", f"{site.origin}/") == (76, "", expected)


def test_redirects_come_to_an_end(gptkit: InMemory, site: FakeServer) -> None:
    site.raw([response(302, "", {"Location": "/"})], times=6)
    told = failure(f"'127.0.0.1:{site.port}': more than 5 redirects")
    assert gptkit("say", "-f", f"{site.origin}/") == (76, "", told)


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (404, 66, ("no such page (404)",)),
        (410, 66, ("no such page (410)",)),
        (401, 69, ("the page is not for everybody (401)", "save it, and name the file")),
        (403, 69, ("the page is not for everybody (403)", "save it, and name the file")),
        (418, 69, ("no page (status 418)",)),
        (429, 75, ("the server cannot answer now (429)",)),
        (503, 75, ("the server cannot answer now (503)",)),
    ],
)
def test_a_status_is_told_with_its_host(
    gptkit: InMemory, site: FakeServer, status: int, code: int, told: tuple[str, ...]
) -> None:
    page(site, "no", status=status)
    message, *hint = told
    expected = failure(f"'127.0.0.1:{site.port}': {message}", *hint)
    assert gptkit("say", "-f", f"{site.origin}/x") == (code, "", expected)


BOMB = gzip.compress(b"\x00" * (21 << 20))


@pytest.mark.parametrize(
    ("content", "encoding", "code", "message"),
    [
        (b"x" * ((20 << 20) + 1), "", 76, "the answer is larger than 20 MiB"),
        (BOMB, "gzip", 76, "the answer is larger than 20 MiB"),
        (b"no gzip", "gzip", 76, "the answer's gzip encoding is damaged"),
        (b" \n", "", 66, "an empty page"),
    ],
)
def test_a_body_that_cannot_be_used(
    gptkit: InMemory, site: FakeServer, content: bytes, encoding: str, code: int, message: str
) -> None:
    page(site, content, "text/plain", encoding=encoding)
    expected = failure(f"'127.0.0.1:{site.port}': {message}")
    assert gptkit("say", "-f", f"{site.origin}/x") == (code, "", expected)


def test_a_page_without_text_may_want_a_login(gptkit: InMemory, site: FakeServer) -> None:
    page(site, "<html><body><form><input type=password></form><script>x()</script></body></html>")
    url = f"{site.origin}/login"
    told = failure(f"'{url}': no text in the page", "it may want a login, or JavaScript")
    assert gptkit("say", "-f", url) == (65, "", told)


def test_a_slow_drip_ends(gptkit: InMemory, site: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "SECONDS", 0.5)
    drops: list[Step] = [http_head(200, {"Content-Type": "text/plain", "Content-Length": "1000"})]
    for _ in range(100):
        drops += [b"x", pause(0.1)]
    site.raw(drops)
    told = failure(f"'127.0.0.1:{site.port}': silent for 20 s, or not whole in 0.5 s")
    assert gptkit("say", "-f", f"{site.origin}/x") == (75, "", told)


def test_a_host_that_is_not_there(gptkit: InMemory, home: Path) -> None:
    prompt(home)
    told = failure("'nowhere.invalid': no such host: 'nowhere.invalid'")
    assert gptkit("say", "-f", "http://nowhere.invalid/x") == (75, "", told)


def test_an_address_with_a_password_is_refused(gptkit: InMemory, home: Path) -> None:
    prompt(home)
    told = failure("'x.example': an address with a user or a password is not fetched")
    assert gptkit("say", "-f", "https://me:secret@x.example/") == (2, "", told)
    told = failure("'https://me:****@x.example:99999/': not an http or https address")
    assert gptkit("say", "-f", "https://me:secret@x.example:99999/") == (2, "", told)


def test_the_hosts_of_the_settings_may_be_in_capitals(
    gptkit: InMemory, server: FakeServer, site: FakeServer, home: Path
) -> None:
    settings(home, "fetch_hosts: [LocalHost]\n")
    page(site, "hello", "text/plain")
    server.say("Hi")
    assert gptkit("say", "-f", f"http://LOCALHOST:{site.port}/") == (0, "Hi\n", "")


def test_a_proxy_fetches_and_looks_up_the_name(
    gptkit: InMemory, server: FakeServer, site: FakeServer, home: Path
) -> None:
    page(site, "hello", "text/plain")
    server.say("Hi")
    with HttpProxy(routes={"news.example:80": ("127.0.0.1", site.port)}) as proxy:
        env = {"http_proxy": proxy.url}
        assert gptkit("say", "-f", "http://news.example/x", env=env) == (0, "Hi\n", "")
        for host in ("169.254.169.254", "127.0.0.1.", "localhost.", "[fec0::1]"):
            code, _, errors = gptkit("say", "-f", f"http://{host}/x", env=env)
            assert (code, "is not public" in errors) == (2, True)
        api = f"{server.url}/chat/completions"
        assert [passage.target for passage in proxy.passages] == ["http://news.example:80/x", api]


@pytest.mark.parametrize(
    ("address", "is_so"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("64:ff9b::5db8:d822", True),
        ("10.0.0.1", False), ("172.16.0.1", False), ("192.168.1.1", False), ("169.254.169.254", False),
        ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False), ("255.255.255.255", False),
        ("::1", False), ("::", False), ("fe80::1%eth0", False), ("fd00::1", False), ("ff02::1", False),
        ("::ffff:10.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False), ("fec0::1", False),
    ],
)  # fmt: skip
def test_what_is_public(address: str, is_so: bool) -> None:
    assert is_public(address) is is_so


def test_no_prompt_file_and_no_document_causes_a_fetch(
    gptkit: InMemory, server: FakeServer, site: FakeServer, home: Path, folder: Path
) -> None:
    option = f"options: {{style: {{type: file, default: '{site.origin}/x'}}}}\n"
    prompt(home, f"description: x\n{option}user: '{{{{ style }}}} {{{{ text }}}}'\n", "styled")
    assert gptkit("styled", "hi").code == 66
    prompt(home, f"description: x\ndocuments: {{paths: ['{site.origin}/x']}}\n", "asking")
    assert gptkit("asking", "hi").code == 66
    (folder / "links.md").write_text(f"[read]({site.origin}/x)\n")
    server.say("Hi")
    assert gptkit("say", "-f", "links.md").code == 0
    assert site.requests == []


def test_a_lone_address_as_words_brings_a_hint(gptkit: InMemory, server: FakeServer, home: Path) -> None:
    prompt(home)
    server.say("Hi", times=2)
    url = "https://news.example/7"
    told = f"gptkit: the address itself is the input; '-f {url}' fetches the page\n"
    assert gptkit("say", url) == (0, "Hi\n", told)
    assert gptkit("say", "read", url) == (0, "Hi\n", "")


def test_a_page_is_worked_on_as_a_text_is(gptkit: InMemory, server: FakeServer, site: FakeServer) -> None:
    page(site, "Hello.\n", "text/plain")
    server.say("Bonjour.")
    result = gptkit("translate", "--to", "French", "-f", f"{site.origin}/x")
    assert (result.code, result.stdout) == (0, "Bonjour.\n")


def test_the_text_of_a_page_is_prose_whatever_the_address_ends_in(
    gptkit: InMemory, server: FakeServer, site: FakeServer
) -> None:
    page(site, PAGE)
    server.answer(lambda request: request.user)
    result = gptkit("translate", "--to", "French", "--accept", "-q", "-f", f"{site.origin}/news.html")
    assert (result.code, result.stdout[:11]) == (0, "Line seven\n")


def test_the_extra_that_is_missing_is_named(
    gptkit: InMemory, site: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "resiliparse", None)
    page(site, PAGE)
    message = f"'127.0.0.1:{site.port}': web pages need the extra 'web'"
    assert gptkit("say", "-f", f"{site.origin}/") == (78, "", failure(message, "pip install 'gptkit[web]'"))
