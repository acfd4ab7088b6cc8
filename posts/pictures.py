"""Pictures without what the camera wrote into them: no position, no device, no author, no hidden preview. Pure.

Chunks and segments are copied or left out, never decoded: the picture itself stays as it is, byte for byte.
"""

import re
import struct
from collections.abc import Callable, Iterator

_ENDINGS = frozenset((".gif", ".jpeg", ".jpg", ".png", ".webp"))

# One byte after the FF: a pattern of FF+ takes quadratic time on a file of nothing but FF.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SOS, _EOI, _COM = 0xDA, 0xD9, 0xFE
_EXIF = b"Exif\0\0"
_KEPT_SEGMENTS = {0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_DROPPED = frozenset((b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME"))
_PNG_MOTION = frozenset((b"acTL", b"fcTL", b"fdAT"))

_WEBP_KEPT = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"))
_WEBP_METADATA_FLAGS = 0x08 | 0x04

_GIF_KEPT = frozenset((b"NETSCAPE2.0", b"ANIMEXTS1.0", b"ICCRGBG1012"))


def without_metadata(body: bytes, ending: str) -> bytes:
    """The same picture without EXIF, XMP, comments and whatever is hung on behind its end.

    JPEG, PNG, WebP and GIF are known by their first bytes, as browsers do: a JPEG that is called `.png` loses its
    position too. A JPEG keeps how it is turned. Files of other endings are given back as they are: SVG, sound, film
    and PDF keep their metadata. Raises ValueError for a picture that is damaged or none of the four kinds.
    """
    if ending.lower() not in _ENDINGS:
        return body
    for start, clean in _KINDS.items():
        if body.startswith(start):
            try:
                return b"".join(clean(body))
            except (IndexError, struct.error) as error:
                raise ValueError("it is a damaged picture") from error
    raise ValueError("it is no JPEG, PNG, WebP or GIF picture")


def _taken(body: bytes, start: int, end: int) -> bytes:
    """`body[start:end]`, all of it; a slice alone forgives a length that leads out of the file."""
    if end > len(body):
        raise ValueError("it is a damaged picture: it ends too early")
    return body[start:end]


def _jpeg(body: bytes) -> Iterator[bytes]:
    """ITU T.81 B.1. Behind EOI phones put a film or a second picture with a position of its own."""
    yield body[:2]
    at, turned = 2, False
    while True:
        if body[at] != 0xFF:
            raise ValueError("it is a damaged picture")
        while body[at] == 0xFF:
            at += 1
        marker = body[at]
        at += 1
        if marker == _EOI:
            yield b"\xff\xd9"
            return
        end = at + int.from_bytes(_taken(body, at, at + 2), "big")
        if marker < 0xC0 or 0xD0 <= marker <= 0xD8 or end < at + 2:
            raise ValueError("it is a damaged picture")
        payload = _taken(body, at + 2, end)
        if marker == 0xE1 and payload.startswith(_EXIF) and not turned:
            orientation = _orientation(payload[len(_EXIF) :])
            turned = orientation != 1
            yield _turn(orientation) if turned else b""
        else:
            yield _kept_segment(marker, payload)
        at = end
        if marker == _SOS:
            found = _JPEG_MARKER.search(body, at)
            if found is None:
                raise ValueError("it is a damaged picture: it ends too early")
            yield body[at : found.start()]
            at = found.start()


def _kept_segment(marker: int, payload: bytes) -> bytes:
    if marker == 0xE0:
        if not payload.startswith(b"JFIF\0") or len(payload) < 14:
            return b""
        # Its thumbnail may still show what was cut off or blurred in the picture.
        payload = payload[:12] + b"\0\0"
    elif marker == _COM or 0xE1 <= marker <= 0xEF:
        wanted = _KEPT_SEGMENTS.get(marker)
        if wanted is None or not payload.startswith(wanted):
            return b""
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _orientation(tiff: bytes) -> int:
    """How the picture is to be turned, 1 to 8; 1 (not at all) also where EXIF is damaged (EXIF 2.3, tag 274)."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, at)
        for number in range(count):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, at + 2 + 12 * number)
            if (tag, kind) == (0x0112, 3):
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _turn(orientation: int) -> bytes:
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    return struct.pack(">BBH", 0xFF, 0xE1, len(_EXIF + tiff) + 2) + _EXIF + tiff


def _png(body: bytes) -> Iterator[bytes]:
    """PNG 5.3. Private chunks go too (previews of drawing programs, C2PA), but for those that move (APNG)."""
    yield _PNG
    at, kind = len(_PNG), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", body, at)
        chunk = _taken(body, at, at + 12 + length)
        at += len(chunk)
        private = bool(kind[0] & 0x20 and kind[1] & 0x20) and kind not in _PNG_MOTION
        if kind not in _PNG_DROPPED and not private:
            yield chunk


def _webp(body: bytes) -> Iterator[bytes]:
    """RFC 9649 2. Chunks are padded to even length, and the file's length stands in front."""
    (size,) = struct.unpack_from("<I", body, 4)
    if _taken(body, 8, 12) != b"WEBP":
        raise ValueError("it is no JPEG, PNG, WebP or GIF picture")
    whole = _taken(body, 0, 8 + size)
    kept, at = [b"WEBP"], 12
    while at < len(whole):
        kind, length = struct.unpack_from("<4sI", whole, at)
        chunk = _taken(whole, at, at + 8 + length)
        at += 8 + length + length % 2
        if kind == b"VP8X":
            chunk = chunk[:8] + bytes([chunk[8] & ~_WEBP_METADATA_FLAGS]) + chunk[9:]
        if kind in _WEBP_KEPT:
            kept.append(chunk + b"\0" * (length % 2))
    yield b"RIFF" + struct.pack("<I", sum(map(len, kept)))
    yield from kept


def _gif(body: bytes) -> Iterator[bytes]:
    """GIF89a 17 to 27. Of the application extensions only those stay that repeat or colour the picture."""
    at = 13 + _gif_colours(body[10])
    yield _taken(body, 0, at)
    while body[at] != 0x3B:
        start, kept = at, True
        if body[at] == 0x2C:
            at = _gif_blocks_end(body, at + 11 + _gif_colours(body[at + 9]))
        elif body[at] == 0x21:
            label, name = body[at + 1], body[at + 3 : at + 14]
            kept = label != 0xFE and (label != 0xFF or name in _GIF_KEPT)
            at = _gif_blocks_end(body, at + 2)
        else:
            raise ValueError("it is a damaged picture")
        if kept:
            yield _taken(body, start, at)
    yield b"\x3b"


def _gif_colours(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _gif_blocks_end(body: bytes, at: int) -> int:
    while body[at]:
        at += body[at] + 1
    return at + 1


_KINDS: dict[bytes, Callable[[bytes], Iterator[bytes]]] = {
    b"\xff\xd8": _jpeg,
    _PNG: _png,
    b"RIFF": _webp,
    b"GIF87a": _gif,
    b"GIF89a": _gif,
}
