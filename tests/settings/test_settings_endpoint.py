"""What goes where: base URLs, proxies, certificates, and what is bound to a host."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake.listener import closed_port

from gptkit.core.chat import Deadlines, Endpoint
from gptkit.core.errors import ConfigurationError, GptkitError, NoPermissionError, UsageError
from gptkit.core.local_servers import LocalServer
from gptkit.core.paths import Paths
from gptkit.settings.address import (
    bypasses_proxy,
    mask_password,
    parse_authority,
    parse_base_url,
    parse_proxy_url,
)
from gptkit.settings.endpoint import endpoint
from gptkit.settings.load import load_settings

Made = Callable[..., Endpoint]
KEY = "sk-canary-7f3a"


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """The endpoint of a user's file, an environment and options."""
    places = Paths(tmp_path, tmp_path, tmp_path, tmp_path / "none")

    def make(
        user: str = "",
        environ: dict[str, str] | None = None,
        servers: tuple[LocalServer, ...] = (),
        **options: object,
    ) -> Endpoint:
        places.config_file.write_text(user, encoding="utf-8")
        return endpoint(load_settings(places, environ or {}, options), servers)

    return make


def failure(made: Made, *args: object, **kwargs: object) -> GptkitError:
    with pytest.raises(GptkitError) as caught:
        made(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize(
    ("url", "clean", "bound_to"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1", "api.openai.com"),
        (" HTTPS://API.OpenAI.com:443/v1/ ", "https://api.openai.com/v1", "api.openai.com"),
        ("http://localhost:11434/v1", "http://localhost:11434/v1", "localhost:11434"),
        ("http://api.openai.com", "http://api.openai.com", "api.openai.com:80"),
        ("http://api.openai.com:443", "http://api.openai.com:443", "api.openai.com:443"),
        ("https://[::1]:8000/v1", "https://[::1]:8000/v1", "[::1]:8000"),
        (
            "https://x.openai.azure.com/openai/deployments/d/?api-version=2026-01-01-preview",
            "https://x.openai.azure.com/openai/deployments/d?api-version=2026-01-01-preview",
            "x.openai.azure.com",
        ),
        ("https://x.example?api-version=1", "https://x.example?api-version=1", "x.example"),
        ("https://x-y.example/a/b%20c/~z", "https://x-y.example/a/b%20c/~z", "x-y.example"),
    ],
)
def test_base_urls(url: str, clean: str, bound_to: str) -> None:
    assert (parse_base_url(url).url, parse_base_url(url).authority) == (clean, bound_to)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("api.openai.com/v1", "must begin with https:// or http://"),
        ("ftp://api.openai.com", "must begin with https:// or http://"),
        ("file:///etc/passwd", "must begin with https:// or http://"),
        ('"https://api.openai.com/v1"', "stands in quotes; leave them out"),
        ("'https://api.openai.com/v1", "stands in quotes; leave them out"),
        ("“https://api.openai.com/v1”", "stands in quotes; leave them out"),
        ("https://", "is not a URL"),
        ("https:///v1", "is not a URL"),
        ("https://a b.example", "is not a URL"),
        ("https://a..b", "is not a URL"),
        ("https://evil.example\\@api.openai.com/v1", "must not hold a user or password"),
        ("https://user:pw@api.openai.com/v1", "must not hold a user or password"),
        ("https://api.openai.com/v1?a=b", "must not hold '#', nor '?' except for '?api-version='"),
        ("https://api.openai.com/v1?api-version=1&key=pw", "must not hold '#', nor '?' except"),
        ("https://api.openai.com/v1#a", "must not hold '#', nor '?' except"),
        ("https://evil.example#@api.openai.com/", "must not hold a user or password"),
        ("https://api.openai.com:99999", "there is no such port"),
        ("https://api.openai.com:0", "there is no such port"),
        ("https://api.openai.com:", "is not a URL"),
        ("https://api.openai.com:\u0664", "holds a character that is not ASCII"),
        ("https://\u212aexample.com", "holds a character that is not ASCII"),
        ("https://api.openai.com/v1/chat/completions", "leave out the '/chat/completions' at its end"),
        ("https://[::1", "is not a URL"),
        ("https://a\nb", "is not a URL"),
    ],
)
def test_what_is_no_base_url(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)) as caught:
        parse_base_url(url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.255.0.3", True),
        ("[::1]", True),
        ("127.0.0.1.evil.example", False),
        ("127.1", False),
        ("127.0.0.01", False),
        ("127.0.0.256", False),
        ("0.0.0.0", False),
        ("localhost.evil.example", False),
        ("x.localhost", False),
        ("[::2]", False),
    ],
)
def test_only_plain_spellings_are_loopback(host: str, loopback: bool) -> None:
    assert parse_base_url(f"http://{host}/v1").is_loopback is loopback


def test_a_key_is_filed_under_a_host_or_the_host_of_a_url() -> None:
    assert parse_authority("API.deepseek.com") == "api.deepseek.com"
    assert parse_authority("https://api.deepseek.com/v1") == "api.deepseek.com"
    assert (
        parse_authority("localhost:8000") == parse_authority("http://localhost:8000/v1") == "localhost:8000"
    )


def test_all_of_an_endpoint(made: Made, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    user = (
        "base_url: https://api.example/v1\nheaders: {X-Title: t}\norganization: o\nproject_id: p\n"
        f"api_key_env: MINE\nproxy: socks5h://proxy.example:1080\nfinish: lenient\n"
        f"ca_file: {tmp_path}/ca.pem\nca_folder: {tmp_path}\n"
        "connect_timeout: 1\nidle_timeout: 2\nfirst_token_timeout: 3\ntoken_timeout: 4\nend_timeout: 5\n"
    )
    assert made(user, {"MINE": KEY}) == Endpoint(
        base_url="https://api.example/v1",
        key=KEY,
        proxy="socks5h://proxy.example:1080",
        ca_file=f"{tmp_path}/ca.pem",
        ca_folder=str(tmp_path),
        headers={"X-Title": "t"},
        organization="o",
        project="p",
        deadlines=Deadlines(1, 2, 3, 4, 5),
        lenient_finish=True,
        key_name="the key in MINE",
        key_hint="correct MINE: it comes before what 'gptkit keys set' stores",
    )


def test_a_key_is_named_by_where_it_is(made: Made, tmp_path: Path) -> None:
    found = made(environ={"OPENAI_API_KEY": KEY})
    assert (found.key_name, found.key_hint) == (
        "the key in OPENAI_API_KEY",
        "correct OPENAI_API_KEY: it comes before what 'gptkit keys set' stores",
    )
    found = made("api_key_command: [echo, sk-x]\n")
    assert (found.key_name, found.key_hint) == (
        "the key from api_key_command",
        "'gptkit config get api_key_command' shows the command",
    )
    (tmp_path / "keys.yaml").write_text(f"api.openai.com: {KEY}\n")
    (tmp_path / "keys.yaml").chmod(0o600)
    found = made()
    assert (found.key_name, found.key_hint) == (
        f"the key in '{tmp_path}/keys.yaml:1'",
        "store the right one with 'gptkit keys set'",
    )


def test_a_key_command_for_another_host_is_not_run_and_the_hint_says_why(made: Made) -> None:
    user = "api_key_command: [touch, ran]\n"
    error = failure(made, user, base_url="https://other.example/v1")
    assert isinstance(error, NoPermissionError)
    assert re.sub(r"/\S*/", "", error.hint) == (
        "api_key_command (config.yaml:1) is for api.openai.com; "
        "'gptkit keys set --host other.example' stores another key"
    )
    found = made(user, base_url="http://localhost:8080/v1")
    assert found.key is None
    assert "api_key_command" in found.key_hint
    assert not Path("ran").exists()


def test_a_base_url_is_refused_with_where_it_came_from(made: Made) -> None:
    error = failure(made, environ={"OPENAI_BASE_URL": "localhost:1"})
    assert isinstance(error, ConfigurationError)
    assert error.message == "base_url (environment OPENAI_BASE_URL): must begin with https:// or http://"
    assert isinstance(failure(made, base_url="x"), UsageError)


def test_http_to_another_machine_needs_a_setting(made: Made) -> None:
    environ = {"OPENAI_BASE_URL": "http://10.0.0.7:8000/v1", "OPENAI_API_KEY": KEY}
    error = failure(made, environ=environ)
    assert isinstance(error, ConfigurationError)
    assert "http to '10.0.0.7' would send text and key readable" in error.message
    assert made("allow_http: true\n", environ).key == KEY
    assert made(environ={**environ, "GPTKIT_ALLOW_HTTP": "1"}).key == KEY


def test_a_certificate_file_must_be_there(made: Made) -> None:
    environ = {"SSL_CERT_FILE": "/no/such.pem", "OPENAI_API_KEY": KEY}
    error = failure(made, environ=environ)
    assert error.message == "ca_file (environment SSL_CERT_FILE): there is no '/no/such.pem'"


def test_headers_and_names_go_only_to_the_host_they_stand_beside(made: Made) -> None:
    user = (
        "headers: {X-A: common}\norganization: mine\napi_key_env: K\n"
        "profiles: {other: {base_url: 'https://other.example', headers: {X-B: b}, api_key_env: K}}\n"
    )
    environ = {"K": KEY, "OPENAI_ORG_ID": "from-variable"}
    here = made(user, environ)
    assert (here.headers, here.organization) == ({"X-A": "common"}, "from-variable")
    there = made(user, environ, profile="other")
    assert (there.headers, there.organization) == ({"X-B": "b"}, None)
    gone = made(user, {**environ, "OPENAI_BASE_URL": "http://localhost:1/v1"})
    assert (gone.headers, gone.organization, gone.key) == ({}, "from-variable", None)


def test_names_of_headers_are_merged_whatever_their_case(made: Made) -> None:
    user = "headers: {x-a: '1'}\nprofiles:\n  p:\n    headers: {X-A: '2'}\n"
    assert made(user, {"OPENAI_API_KEY": KEY}, profile="p").headers == {"X-A": "2"}


@pytest.mark.parametrize("name", ["api-key", "X-API-Key", "Authorization"])
def test_a_key_in_a_header_is_the_key(made: Made, name: str) -> None:
    found = made(f"headers: {{{name}: secret}}\n", {"OPENAI_API_KEY": KEY})
    assert (found.key, dict(found.headers)) == (None, {name: "secret"})
    assert "secret" not in repr(found)


PROXY = "http://p.example:3128"


@pytest.mark.parametrize(
    ("environ", "base_url", "proxy"),
    [
        ({"HTTPS_PROXY": PROXY}, "https://a.example", PROXY),
        ({"HTTPS_PROXY": PROXY}, "http://a.example", None),
        ({"http_proxy": PROXY}, "http://a.example", PROXY),
        ({"HTTP_PROXY": PROXY}, "http://a.example", PROXY),
        ({"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, "http://a.example", None),
        ({"ALL_PROXY": "socks://s:1"}, "https://a.example", "socks5://s:1"),
        ({"all_proxy": "p.example:3128/"}, "https://a.example", PROXY),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other:1"}, "https://a.example", PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "b.example,.example"}, "https://a.example", None),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "*"}, "https://a.example", None),
        ({"HTTP_PROXY": PROXY}, "http://127.0.0.1:1234", None),
        ({"HTTP_PROXY": "http://127.0.0.1:3128"}, "http://127.0.0.1:1234", "http://127.0.0.1:3128"),
        ({"HTTPS_PROXY": " "}, "https://a.example", None),
    ],
)
def test_the_proxy_of_the_environment(
    made: Made, environ: dict[str, str], base_url: str, proxy: str | None
) -> None:
    environ = {**environ, "OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": KEY, "GPTKIT_ALLOW_HTTP": "yes"}
    assert made(environ=environ).proxy == proxy


def test_a_proxy_option_counts_for_every_host_and_can_turn_one_off(made: Made) -> None:
    environ = {"HTTPS_PROXY": PROXY, "NO_PROXY": "*", "OPENAI_API_KEY": KEY}
    assert made(environ=environ, proxy="http://q:1").proxy == "http://q:1"
    del environ["NO_PROXY"]
    assert made(environ=environ, proxy="none").proxy is None
    assert made("proxy: http://q:1\nno_proxy: [api.openai.com]\n", {"OPENAI_API_KEY": KEY}).proxy is None


@pytest.mark.parametrize("text", ["ftp://p:1", "socks4://p:1", "http://", "http://a b", "http://u:pw/x@p:1"])
def test_a_wrong_proxy_is_refused_without_its_password(made: Made, text: str) -> None:
    error = failure(made, environ={"HTTPS_PROXY": text, "OPENAI_API_KEY": KEY})
    assert isinstance(error, ConfigurationError)
    assert error.message.startswith("proxy (environment HTTPS_PROXY): must be a URL such as")
    assert "pw" not in error.message + error.hint


def test_a_proxy_in_quotes_is_called_that(made: Made) -> None:
    error = failure(made, environ={"HTTPS_PROXY": f"'{PROXY}'", "OPENAI_API_KEY": KEY})
    assert error.message == "proxy (environment HTTPS_PROXY): stands in quotes; leave them out"


def test_a_proxy_is_shown_without_its_password() -> None:
    assert parse_proxy_url("http://u:pw@p.example:1") == "http://u:pw@p.example:1"
    assert mask_password("http://u:pw@p.example:1") == "http://u:****@p.example:1"
    assert mask_password(PROXY) == PROXY


@pytest.mark.parametrize(
    ("entry", "matches"),
    [
        ("api.example.com", True),
        ("example.com", True),
        (".example.com", True),
        ("*.example.com", True),
        ("EXAMPLE.com", True),
        ("example.com:443", True),
        ("example.com:80", False),
        ("ample.com", False),
        ("api.example.com.evil", False),
        ("", False),
        (".", False),
        ("10.0.0.0/8", False),
    ],
)
def test_entries_of_no_proxy(entry: str, matches: bool) -> None:
    assert bypasses_proxy(parse_base_url("https://api.example.com/v1"), [entry], PROXY) is matches


@pytest.mark.parametrize(
    ("host", "entry", "matches"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("[fd00::7]", "fd00::/8", True),
        ("[fd00::7]", "fd00::7", True),
        ("[fd00::7]", "[fd00::7]:443", True),
    ],
)
def test_networks_in_no_proxy(host: str, entry: str, matches: bool) -> None:
    assert bypasses_proxy(parse_base_url(f"https://{host}/v1"), [entry], PROXY) is matches


@pytest.fixture
def port() -> Iterator[int]:
    """A port of loopback that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def test_without_a_key_a_server_that_listens_is_offered_by_name(made: Made, port: int) -> None:
    with closed_port() as closed:
        error = failure(made, servers=(LocalServer("Closed", closed), LocalServer("Ollama", port)))
    assert isinstance(error, NoPermissionError)
    assert error.message == "no key for api.openai.com"
    assert error.hint == (
        f"Ollama listens on localhost:{port}: run with OPENAI_BASE_URL=http://localhost:{port}/v1"
    )


def test_a_port_that_others_use_too_is_not_called_by_a_name_that_may_be_wrong(made: Made, port: int) -> None:
    hint = failure(made, servers=(LocalServer("vLLM", port, shared=True),)).hint
    assert hint.startswith(f"something listens on localhost:{port}, where vLLM would: ")


def test_without_a_key_and_a_server_the_ways_are_named(made: Made) -> None:
    with closed_port() as closed:
        error = failure(made, servers=(LocalServer("Closed", closed),))
    assert error.hint == "set OPENAI_API_KEY or run 'gptkit keys set'; '--model echo' needs no key"
