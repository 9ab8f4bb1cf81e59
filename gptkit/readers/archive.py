"""Members of documents that are ZIP archives, within limits."""

from __future__ import annotations

import posixpath
import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import NamedTuple
from urllib.parse import unquote
from xml.etree import ElementTree
from zipfile import BadZipFile, ZipFile

from gptkit.core.errors import DataError
from gptkit.readers import ENCRYPTED, UNLOCK, DocumentData

MOST_MEMBERS = 5_000
MEMBER_BYTES, ALL_BYTES = 64 << 20, 256 << 20
"""The most that is unpacked of one member, and of all of them together."""


class Relation(NamedTuple):
    """A part of an Office document as another part names it; `kind` is `slide`, `notesSlide`, `styles` ..."""

    kind: str
    target: str


class Archive:
    """A document that is a ZIP archive. All methods raise DataError for a damaged or an encrypted one."""

    def __init__(self, source: DocumentData) -> None:
        self._name = source.name
        self._left = ALL_BYTES
        try:
            self._zip = ZipFile(BytesIO(source.data))
        except (BadZipFile, ValueError, NotImplementedError):
            raise self._damaged() from None
        members = self._zip.infolist()
        if len(members) > MOST_MEMBERS:
            raise DataError(f"{self._name}: more than {MOST_MEMBERS:,} parts")
        if any(member.flag_bits & 1 for member in members):
            raise DataError(f"{self._name}: {ENCRYPTED}", hint=UNLOCK)
        self._members = {member.filename: member for member in members}

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def read(self, name: str) -> bytes:
        """The bytes of a member."""
        if name not in self._members:
            raise self._damaged()
        cap = min(MEMBER_BYTES, self._left)
        try:
            with self._zip.open(self._members[name]) as file:
                data = file.read(cap + 1)
        except (BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError):
            raise self._damaged() from None
        if len(data) > cap:
            raise DataError(f"{self._name}: it unpacks to more than {cap >> 20} MiB")
        self._left -= len(data)
        return data

    def xml(self, name: str) -> ElementTree.Element:
        """The root of a member that is XML. Expat limits what entities grow to; so does the process."""
        try:
            return ElementTree.fromstring(self.read(name))  # noqa: S314
        except ElementTree.ParseError:
            raise self._damaged() from None

    def relations(self, part: str = "") -> Mapping[str, Relation]:
        """What a part of an Office document names, by identifier; what the document as a whole names."""
        folder, name = posixpath.split(part)
        file = posixpath.join(folder, "_rels", f"{name}.rels")
        if file not in self:
            return {}
        return {
            one.get("Id", ""): Relation(
                one.get("Type", "").rpartition("/")[2],
                posixpath.normpath(posixpath.join("/", folder, unquote(one.get("Target", "")))).lstrip("/"),
            )
            for one in self.xml(file)
        }

    def related(self, kind: str, part: str = "") -> str | None:
        """The name of the first member that a part names as one of that kind."""
        found = (
            one.target for one in self.relations(part).values() if one.kind == kind and one.target in self
        )
        return next(found, None)

    def _damaged(self) -> DataError:
        return DataError(f"{self._name}: it is damaged, or not of the kind that its name says")


def local_name(tag: str) -> str:
    """The name of an element without its namespace."""
    return tag.rpartition("}")[2]


def attribute(element: ElementTree.Element, name: str) -> str:
    """The value of an attribute of any namespace; empty without."""
    return next((value for key, value in element.attrib.items() if local_name(key) == name), "")
