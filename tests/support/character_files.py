"""Writes character cards the way other programs do: PNG, APNG and CHARX files, whole or damaged."""

from __future__ import annotations

import base64
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping

SIGNATURE = b"\x89PNG\r\n\x1a\n"
V1: dict[str, object] = {
    "name": "Haruhi",
    "description": "{{char}} runs a club.",
    "personality": "restless",
    "scenario": "{{user}} meets {{char}} after school.",
    "first_mes": "You are late, {{user}}.",
    "mes_example": "<START>\n{{user}}: hi\n{{char}}: hello\n<START>\n{{user}}: hi\nHaruhi: hello",
}
V2: dict[str, object] = {
    "spec": "chara_card_v2",
    "spec_version": "2.0",
    "data": {
        **V1,
        "creator_notes": "Bot optimized for long answers",
        "system_prompt": "{{original}} Be brief.",
        "post_history_instructions": "Stay as {{char}}.",
        "alternate_greetings": ["Sit down.", "你好，{{user}}。"],
        "tags": ["school", "校园"],
        "creator": "somebody",
        "character_version": "1.2",
        "extensions": {"text_color": "#ff3333", "agnai/voice": {"service": "elevenlabs", "id": "Bella"}},
        "character_book": {
            "name": "club",
            "extensions": {"a": 1},
            "scan_depth": 2,
            "token_budget": 100,
            "recursive_scanning": False,
            "entries": [
                {
                    "keys": ["brigade", "社团"],
                    "content": "The brigade has five members.",
                    "extensions": {"b": [None, 2.5]},
                    "enabled": True,
                    "insertion_order": 10,
                    "case_sensitive": False,
                    "name": "members",
                    "priority": 5,
                    "id": 1,
                    "comment": "who",
                    "selective": True,
                    "secondary_keys": ["members"],
                    "constant": False,
                    "position": "before_char",
                }
            ],
        },
    },
}
V3: dict[str, object] = {
    "spec": "chara_card_v3",
    "spec_version": "3.0",
    "data": {
        **V2["data"],  # type: ignore[dict-item]
        "nickname": "Haru",
        "creator_notes_multilingual": {"zh": "说明"},
        "source": ["https://example.org/card"],
        "group_only_greetings": ["All of you are late."],
        "creation_date": 1700000000,
        "modification_date": 1700000001,
        "assets": [
            {"type": "icon", "uri": "ccdefault:", "name": "main", "ext": "png"},
            {
                "type": "emotion",
                "uri": "embeded://assets/emotion/images/a.png",
                "name": "happy",
                "ext": "png",
            },
        ],
        "a_field_of_v4": {"kept": True},
    },
}


def json_bytes(card: object) -> bytes:
    return json.dumps(card, ensure_ascii=False).encode()


def png(chunks: Mapping[str, object], kind: str = "tEXt", animated: bool = False, pixels: int = 8) -> bytes:
    """A picture with a text chunk for each card, by keyword."""
    texts = [text_chunk(name, base64.b64encode(json_bytes(card)), kind) for name, card in chunks.items()]
    return picture(texts, animated, pixels)


def picture(texts: list[bytes], animated: bool = False, pixels: int = 8) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    frames = [chunk(b"acTL", struct.pack(">II", 1, 0))] if animated else []
    return b"".join([SIGNATURE, header, *frames, *texts, chunk(b"IDAT", bytes(pixels)), chunk(b"IEND", b"")])


def text_chunk(name: str, text: bytes, kind: str = "tEXt") -> bytes:
    keyword = name.encode("latin-1") + b"\0"
    match kind:
        case "zTXt":
            return chunk(b"zTXt", keyword + b"\0" + zlib.compress(text))
        case "iTXt":
            return chunk(b"iTXt", keyword + b"\0\0en\0word\0" + text)
        case "iTXt packed":
            return chunk(b"iTXt", keyword + b"\1\0\0\0" + zlib.compress(text))
        case _:
            return chunk(b"tEXt", keyword + text)


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def charx(files: Mapping[str, bytes], packed: bool = True) -> bytes:
    written = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(written, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return written.getvalue()
