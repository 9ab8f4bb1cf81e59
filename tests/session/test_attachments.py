"""Images and PDFs that go along with a message: what is sent, stored and sent again, and what is refused."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from asking import failure, prompt, settings
from fake.program import InMemory, OnTerminal
from fake.proxy import HttpProxy
from fake.server import FakeServer

from gptkit.core.hashing import sha256


def png(width: int, height: int) -> bytes:
    """A file that begins as a PNG of this size does, which is all that is looked at."""
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + size + b"\x08\x02\x00\x00\x00" + zlib.compress(b"x" * 9)


def jpeg(width: int, height: int) -> bytes:
    frame = b"\xff\xc2\x00\x11\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x03" * 10
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"\x01" * 9 + frame + b"\xff\xda"


def webp(kind: bytes, rest: bytes) -> bytes:
    return b"RIFF\x00\x00\x00\x00WEBP" + kind + b"\x0a\x00\x00\x00" + rest


CAT = png(640, 480)
LEASE = b"%PDF-1.7\n1 0 obj <</Type /Page>> endobj 2 0 obj <</Type/Page/X 1>> endobj <</Type /Pages>>\n%%EOF"
LOOK = "description: Look.\nattachments: [image, pdf]\ninput: optional\n"


@pytest.fixture(autouse=True)
def look(home: Path, folder: Path) -> None:
    prompt(home, LOOK, "look")
    (folder / "猫.png").write_bytes(CAT)
    (folder / "lease.pdf").write_bytes(LEASE)


def image(data: bytes, media_type: str = "image/png") -> dict[str, Any]:
    encoded = base64.b64encode(data).decode()
    return {"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{encoded}"}}


def document(data: bytes, name: str) -> dict[str, Any]:
    encoded = base64.b64encode(data).decode()
    return {"type": "file", "file": {"filename": name, "file_data": f"data:application/pdf;base64,{encoded}"}}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def is_part_of_the_sdk(part: dict[str, Any]) -> bool:
    from openai.types.chat import ChatCompletionContentPartParam
    from pydantic import TypeAdapter

    return bool(TypeAdapter(ChatCompletionContentPartParam).validate_python(part) == part)


@pytest.mark.parametrize("way", ["direct", "SDK"])
def test_images_and_pdf_go_along_in_their_order(gptkit: InMemory, server: FakeServer, way: str) -> None:
    server.say("A cat")
    arguments = (
        "look",
        "what is it?",
        "-a",
        "猫.png",
        "--attach",
        "lease.pdf",
        "-a",
        "https://x.example/b.jpg",
    )
    if way == "direct":
        assert gptkit(*arguments) == (0, "A cat\n", "")
    else:
        with HttpProxy() as proxy:
            assert gptkit(*arguments, "--proxy", proxy.url) == (0, "A cat\n", "")
            assert len(proxy.passages) == 1
    [message] = server.request.messages
    linked = {"type": "image_url", "image_url": {"url": "https://x.example/b.jpg"}}
    parts = [image(CAT), document(LEASE, "lease.pdf"), linked, text("what is it?")]
    assert message == {"role": "user", "content": parts}
    assert all(map(is_part_of_the_sdk, parts))


def test_an_attachment_needs_no_words(gptkit: InMemory, server: FakeServer) -> None:
    server.say("A cat")
    assert gptkit("look", "-a", "猫.png") == (0, "A cat\n", "")
    assert server.request.messages == [{"role": "user", "content": [image(CAT)]}]


def test_standard_input_can_be_attached(gptkit: InMemory, server: FakeServer) -> None:
    server.say("A cat")
    assert gptkit("look", "which?", "-a", "-", stdin=CAT) == (0, "A cat\n", "")
    assert server.request.messages[0]["content"] == [image(CAT), text("which?")]
    both = failure("standard input can be read only once")
    assert gptkit("look", "-a", "-", "-f", "-", stdin=CAT) == (2, "", both)


@pytest.mark.parametrize(
    ("name", "data", "media_type"),
    [
        ("a.txt", CAT, "image/png"),
        ("b.png", jpeg(9, 9), "image/jpeg"),
        ("c", b"GIF89a\x01\x00\x01\x00;", "image/gif"),
        ("d.pdf", webp(b"VP8X", b"\x00" * 14), "image/webp"),
    ],
)
def test_the_first_bytes_tell_the_type(
    gptkit: InMemory, server: FakeServer, folder: Path, name: str, data: bytes, media_type: str
) -> None:
    (folder / name).write_bytes(data)
    server.say("x")
    assert gptkit("look", "-a", name).code == 0
    assert server.request.messages[0]["content"] == [image(data, media_type)]


TOO_LARGE = "the attachments have more than 50 MB"
DECLARE = "a prompt file takes them with 'attachments: [image, pdf]'"
LOAD = "download the file first"
LOGIN = "an address with a user or a password is not attached"
ATTACH = "'-a FILE' attaches an image; in a conversation '/attach FILE' does"
NOTHING = ("nothing is attached", "'-a FILE' attaches a file")
TYPES = "PNG, JPEG, WEBP, GIF and PDF are attached; -f reads texts"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("say", "-a", "猫.png"), 2, ("'say' takes no attachments", DECLARE)),
        (("translate", "-a", "猫.png", "-f", "."), 2, ("'translate' takes no attachments", DECLARE)),
        (("describe", "-a", "lease.pdf"), 2, ("'lease.pdf': 'describe' takes images only",)),
        (("look", "-a", "http://x/a"), 2, ("'http://x/a': only https addresses can be attached",)),
        (("look", "-a", "https://x/.pdf"), 2, ("'https://x/.pdf': the API takes a PDF as a file only", LOAD)),
        (("look", "-a", "https:///a"), 2, ("'https:///a': only https addresses can be attached",)),
        (("look", "-a", "https://me:secret@x/a"), 2, (f"'x': {LOGIN}",)),
        (("look", "-a", "http://me:secret@x:99999/"), 2, (f"'x': {LOGIN}",)),
        (("look", "-a", "https://me:secret@[x/a"), 2, ("'https://me:****@[x/a': not an address",)),
        (("look", "-a", "none.png"), 66, ("'none.png': no such file",)),
        (("look", "-a", "notes.txt"), 65, ("'notes.txt': neither an image nor a PDF", TYPES)),
        (("look", "-a", "photo.heic"), 65, ("'photo.heic': looks like a HEIC image", TYPES)),
        (("look", "-a", "moving.gif"), 65, ("'moving.gif': an animated GIF, which the API does not take",)),
        (("look", "-a", "huge.png"), 65, (f"'huge.png': {TOO_LARGE}",)),
        (("look", "-a", "half.png", "-a", "half.png"), 65, (f"'half.png': {TOO_LARGE}",)),
        (("look", "-a", "猫.png", "-o", "猫.png"), 2, ("'猫.png': the output would overwrite the input",)),
        (("describe",), 66, NOTHING),
        (("describe", "猫.png"), 66, NOTHING),
        (("describe", "猫.png", "--dry-run"), 66, NOTHING),
        (("describe", "what is it?", "-s", "new"), 66, NOTHING),
        (("ask", "-f", "猫.png"), 65, ("'猫.png': not text: looks like a PNG image", ATTACH)),
    ],
)  # fmt: skip
def test_what_cannot_be_attached_is_named_and_nothing_is_sent(
    gptkit: InMemory, server: FakeServer, home: Path, folder: Path, arguments: tuple[str, ...], code: int,
    told: tuple[str, ...],
) -> None:  # fmt: skip
    prompt(home)
    (folder / "notes.txt").write_text("你好")
    (folder / "photo.heic").write_bytes(b"\x00\x00\x00\x18ftypheic" + b"\x00" * 20)
    (folder / "moving.gif").write_bytes(b"GIF89a\x01\x00\x01\x00!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00;")
    for name, size in (("huge.png", 50_000_001), ("half.png", 25_000_001)):
        with (folder / name).open("wb") as file:
            file.write(CAT)
            file.truncate(size)
    assert gptkit(*arguments) == (code, "", failure(*told))
    assert server.requests == []


def test_a_dry_run_shows_type_and_size(gptkit: InMemory, folder: Path) -> None:
    (folder / "big.jpg").write_bytes(jpeg(4000, 3000) + b"\x00" * 12_345)
    shown = json.loads(gptkit("look", "-a", "big.jpg", "-a", "lease.pdf", "--dry-run").stdout)
    urls = [part.get("image_url", part.get("file")) for part in shown["body"]["messages"][0]["content"]]
    size = len(jpeg(4000, 3000)) + 12_345
    assert urls == [
        {"url": f"<image/jpeg, {size:,} bytes>"},
        {"filename": "lease.pdf", "file_data": f"<application/pdf, {len(LEASE)} bytes>"},
    ]


def test_what_is_sent_can_be_shown(gptkit: InMemory) -> None:
    shown = gptkit("prompts", "show", "look", "--as-sent", "hm?", "-a", "猫.png")
    told = f"--- user (362 tokens)\n<image/png, {len(CAT)} bytes>\nhm?\n--- 362 tokens in all, estimated\n"
    assert shown == (0, told, "")


@pytest.mark.parametrize(
    ("data", "tokens"),
    [
        (png(32, 32), 2),  # 1.2, rounded up
        (png(1024, 1024), 1229),  # 32 * 32 patches * 1.2
        (jpeg(4000, 3000), 12_000),  # 125 * 94 patches are more than the most
        (b"GIF89a\x40\x00\x21\x00;", 5),  # 64 * 33
        (webp(b"VP8X", b"\x00" * 4 + b"\x1f\x00\x00\x3f\x00\x00"), 3),  # 32 * 64
        (webp(b"VP8 ", b"\x00" * 6 + b"\x20\x00\x40\x00"), 3),
        (webp(b"VP8L", b"\x2f" + (31 | 63 << 14).to_bytes(4, "little")), 3),
        (b"\xff\xd8\xff\xe0\x00\x02", 1536),  # no frame, no size
        (b"\xff\xd8\xff", 1536),
        (CAT[:14], 1536),
        (LEASE, 4000),  # two pages
        (b"%PDF-1.7\n" + b"\x00" * 250_000, 6000),  # pages that cannot be counted
    ],
)
def test_tokens_and_cost_are_estimated(
    gptkit: InMemory, server: FakeServer, home: Path, folder: Path, data: bytes, tokens: int
) -> None:
    (folder / "x").write_bytes(data)
    frame = json.loads(gptkit("look", "-a", "https://x.example/", "--dry-run").stdout)["estimate"]
    shown = json.loads(gptkit("look", "-a", "x", "--dry-run").stdout)["estimate"]
    assert shown["prompt_tokens"] == frame["prompt_tokens"] - 1536 + tokens
    settings(home, "prices: {gpt-x: [1000000, 0]}\n")  # a dollar a token
    assert gptkit("look", "-a", "x", "-m", "gpt-x", "--max-cost", str(tokens)).code == 82
    assert server.requests == []


def test_the_history_has_name_type_size_and_hash_but_not_the_bytes(
    gptkit: InMemory, server: FakeServer, home: Path, folder: Path
) -> None:
    server.say("A cat")
    gptkit("look", "hm?", "-a", "猫.png", "-s", "c")
    [turn] = json.loads(gptkit("history", "show", "c", "--json").stdout)["turns"]
    assert turn["request"]["attachments"] == [
        {
            "name": "猫.png", "source": str(folder / "猫.png"), "type": "image/png", "size": len(CAT),
            "sha256": sha256(CAT).hexdigest(), "tokens": 360,
        }
    ]  # fmt: skip
    assert "\nhm?\n\n[猫.png]\n" in gptkit("history", "show", "c").stdout
    stored = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert CAT not in stored
    assert base64.b64encode(CAT) not in stored


def test_a_conversation_about_a_picture_goes_on(gptkit: InMemory, server: FakeServer) -> None:
    for answer in ("A cat", "Black", "Two"):
        server.say(answer)
    gptkit("look", "what is it?", "-a", "猫.png", "-s", "c")
    gptkit("look", "which colour?", "-s", "c")
    assert gptkit("look", "pages?", "-a", "lease.pdf", "-s", "c") == (0, "Two\n", "")
    server.say("A tail")
    assert gptkit("describe", "what else?", "-s", "c") == (0, "A tail\n", "")  # attached before
    first = {"role": "user", "content": [image(CAT), text("what is it?")]}
    assert [message["content"] for message in server.requests[1].messages] == [
        first["content"], "A cat", "which colour?",
    ]  # fmt: skip
    last = [document(LEASE, "lease.pdf"), text("pages?")]
    assert [m["content"] for m in server.requests[2].messages][::4] == [first["content"], last]


@pytest.mark.parametrize(("change", "cause"), [(None, "no such file"), (png(1, 1), "it has changed")])
def test_a_picture_that_is_gone_is_told_to_both_sides(
    gptkit: InMemory, server: FakeServer, folder: Path, change: bytes | None, cause: str
) -> None:
    server.say("A cat")
    server.say("Black")
    gptkit("look", "what is it?", "-a", "猫.png", "-s", "c")
    path = folder / "猫.png"
    path.unlink() if change is None else path.write_bytes(change)
    told = f"gptkit: an earlier attachment is not sent: '{path}': {cause}\n"
    assert gptkit("look", "which colour?", "-s", "c") == (0, "Black\n", told)
    content = server.requests[-1].messages[0]["content"]
    assert content == "what is it?\n\n[猫.png is not attached any more]"


def test_a_refused_attachment_does_not_stay_in_the_conversation(gptkit: InMemory, server: FakeServer) -> None:
    server.fail(400, {"error": {"message": "gpt-x is not a multimodal model", "code": 400}})
    server.say("Yes")
    assert gptkit("look", "what is it?", "-a", "猫.png", "-s", "c").code == 69
    assert gptkit("look", "still there?", "-s", "c") == (0, "Yes\n", "")
    assert [message["content"] for message in server.requests[-1].messages] == ["still there?"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "Invalid content type. image_url is only supported by certain models."),
        (
            500,
            "image input is not supported - hint: you may need to provide the mmproj",
        ),
        (500, 'Failed to parse messages: Unsupported content part type: "image_url"; messages = ['),
        (400, "unsupported content[].type"),
        (400, "this model does not support image input"),
        (500, "this model is missing data required for image input"),
        (404, "No endpoints found that support image input"),
        (400, "qwen is not a multimodal model None"),
        (400, "At most 0 image(s) may be provided in one prompt."),
        (400, "Unsupported chat content part type: 'file'. Supported types: text"),
        (500, "Unknown part type: file"),
        (400, "messages[0]: unknown variant `image_url`, expected `text`"),
        (400, "Invalid value: file. Supported values are: 'text','image_url','video_url' and 'video'."),
        (422, "Input should be 'text'"),
        (400, "messages.content.type 参数非法，取值范围 ['text']"),
    ],
)
def test_a_model_that_takes_no_images_is_told_as_that(
    gptkit: InMemory, server: FakeServer, status: int, words: str
) -> None:
    server.fail(status, {"error": {"message": words}})
    code, output, errors = gptkit("look", "-a", "猫.png", "-m", "gpt-x")
    assert (code, output) == (69, "")
    assert errors.startswith(f"gptkit: 'gpt-x' does not take the attachment ({status}): ")
    assert errors.endswith("\nhint: choose a model that takes images or PDF with -m\n")
    assert len(server.requests) == 1


def test_a_prompt_file_says_what_it_takes(gptkit: InMemory, home: Path) -> None:
    prompt(home, "description: x\nattachments: [image, audio]\nlong: map\n", "bad")
    code, output, _ = gptkit("prompts", "check", "bad")
    path = home / "config" / "prompts" / "bad.yaml"
    assert code == 65
    assert output == (
        f"{path}:2: attachments: unknown kind 'audio' (allowed: image, pdf)\n"
        f"{path}:2: attachments: does not go together with 'long'\n"
    )


def test_a_prompt_that_needs_an_attachment_takes_some(gptkit: InMemory, home: Path) -> None:
    prompt(home, "description: x\ninput: attachment\n", "bad")
    code, output, _ = gptkit("prompts", "check", "bad")
    path = home / "config" / "prompts" / "bad.yaml"
    assert (code, output) == (65, f"{path}:2: input: there is no key 'attachments'\n")


def test_a_prompt_and_its_tests_know_the_names(gptkit: InMemory, server: FakeServer, home: Path) -> None:
    tested = "tests: [{text: hm, attachments: [猫.png], expect: {system_contains: 'About 猫.png.'}}]\n"
    prompt(home, f"{LOOK}system: About {{{{ attachments | join(', ') }}}}.\n{tested}", "look")
    assert gptkit("prompts", "test", "look") == (0, "look: 1 passed, 0 failed\n", "")
    server.say("x")
    gptkit("look", "-a", "猫.png", "-a", "lease.pdf")
    assert server.request.system == "About 猫.png, lease.pdf."


def test_a_prompt_file_with_an_option_of_that_name_keeps_it(
    gptkit: InMemory, server: FakeServer, home: Path
) -> None:
    prompt(home, "description: x\nuser: '{{ area }}: {{ text }}'\noptions: {area: {short: a}}\n", "say")
    server.say("x")
    assert gptkit("say", "-a", "Kent", "hm").code == 0
    assert server.request.user == "Kent: hm"


def test_a_picture_in_the_prompt_loop(screen: OnTerminal, server: FakeServer, folder: Path) -> None:
    for answer in ("A cat.", "Two pages.", "Two pages, yes."):
        server.say(answer)
    running = screen("chat", "-a", "猫.png")
    running.wait_for("/help")
    running.send("what is it?\r")
    running.wait_for("A cat.")
    running.send("/attach https://[x\r")
    running.wait_for("'https://[x': not an address")
    running.send("/attach http://x/猫.png\r")
    running.wait_for("'http://x/猫.png': only https addresses can be attached")
    running.send("/attach lease.pdf\r")
    running.wait_for("'lease.pdf' goes with the next message")
    running.send("and this?\r")
    running.wait_for("Two pages.")
    running.send("/retry\r")
    running.wait_for("Two pages, yes.")
    running.send("/file 猫.png\r")
    running.wait_for("'/attach FILE' does")
    running.send("/exit\r")
    assert running.wait_exit() == 0
    first, second = [image(CAT), text("what is it?\n")], [document(LEASE, "lease.pdf"), text("and this?\n")]
    sent = [[m["content"] for m in request.messages[1:]] for request in server.requests]
    assert sent == [[first], [first, "A cat.", second], [first, "A cat.", second]]
