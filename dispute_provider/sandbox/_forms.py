"""Decode bodies: bracketed forms and multipart; detect the type of a file by its first bytes."""

from __future__ import annotations

import contextlib
import re
import zlib
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")
_PDF_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_PACKED_OBJECTS = re.compile(rb"/ObjStm\b.{0,300}?>>\s*stream\r?\n", re.DOTALL)
_MAX_UNPACKED = 16 * 1024 * 1024
_MAGIC = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)


class FormError(ValueError):
    """A body that is not a form.

    :ivar name: the invalid field, if there is one.
    """

    def __init__(self, message: str, name: str | None = None) -> None:
        super().__init__(message)
        self.name = name


@dataclass(slots=True)
class Upload:
    """A file part with its declared name and type."""

    filename: str
    content_type: str
    content: bytes


def pairs(encoded: str) -> list[tuple[str, str]]:
    """Decode ``a=1&b=2``.

    :raises FormError: if it is not UTF-8.
    """
    found = []
    for item in encoded.split("&"):
        if item:
            name, _, value = item.partition("=")
            try:
                found.append((unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")))
            except UnicodeDecodeError:
                raise FormError("A form field is not UTF-8") from None
    return found


def nest(fields: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Turn bracketed names into a tree: ``a[b]`` nests, ``a[]`` appends, ``a[0]`` is a key (see as_list)."""
    tree: dict[str, Any] = {}
    for name, value in fields:
        match = _NAME.fullmatch(name)
        if not match:
            raise FormError("A parameter's brackets do not match", name)
        _put(tree, [match[1], *_PART.findall(match[2])], value, name)
    return tree


def _put(tree: dict[str, Any], keys: list[str], value: Any, name: str) -> None:
    here: Any = tree
    for position, key in enumerate(keys[:-1]):
        following: Any = [] if keys[position + 1] == "" else {}
        if isinstance(here, list):
            # a[][x]=1&a[][y]=2 is one item; a repeated x starts the next one.
            if not here or not isinstance(here[-1], dict) or keys[position + 1] in here[-1]:
                here.append(following)
            here = here[-1]
        else:
            here = here.setdefault(key, following)
        if type(here) is not type(following):
            raise FormError("A parameter is given in two shapes", name)
    if isinstance(here, list):
        here.append(value)
    elif keys[-1] in here:
        raise FormError("A parameter is given twice", name)
    else:
        here[keys[-1]] = value


def as_list(value: Any) -> list[Any] | None:
    """Return a list that was decoded from ``[]`` or from indices; None if the value is not a list."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and value and all(key.isascii() and key.isdigit() for key in value):
        return [value[key] for key in sorted(value, key=int)]
    return None


async def multipart(content_type: str, body: bytes) -> list[tuple[str, str | Upload]]:
    """Return the parts in order.

    :raises FormError: if the body is not multipart.
    """

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    if "boundary=" not in content_type:
        raise FormError("The multipart body has no boundary")
    parser = MultiPartParser(Headers({"content-type": content_type}), stream(), max_part_size=2**20)
    try:
        form = await parser.parse()
    except (MultiPartException, ValueError, KeyError) as error:
        raise FormError(f"The multipart body cannot be read: {error}") from error
    parts: list[tuple[str, str | Upload]] = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            content = await value.read()
            await value.close()
            parts.append((name, Upload(value.filename or "", value.content_type or "", content)))
        else:
            parts.append((name, value))
    return parts


def sniff(content: bytes) -> str | None:
    """Return the content type by the first bytes: PDF, JPEG, PNG or TIFF; None for any other."""
    return next((kind for magic, kind in _MAGIC if content.startswith(magic)), None)


def page_count(content: bytes) -> int:
    """Return the pages of a PDF, whose page objects may be compressed; 1 for a picture."""
    if not content.startswith(b"%PDF-"):
        return 1
    return max(1, sum(len(_PDF_PAGE.findall(each)) for each in _objects(content)))


def _objects(content: bytes) -> Iterator[bytes]:
    """Yield a PDF, and its object streams as far as they can be decompressed."""
    yield content
    for found in _PACKED_OBJECTS.finditer(content):
        with contextlib.suppress(zlib.error):
            yield zlib.decompressobj().decompress(content[found.end() :], _MAX_UNPACKED)
