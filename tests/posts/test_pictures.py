"""Pictures: what the camera wrote goes, what the eye sees stays."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posts.pictures import without_metadata

SECRET = b"GPS 31.7 -106.4"
JFIF = b"JFIF\0\1\2\0\0\1\0\1\0\0"
SCAN = b"\x01\xff\x00\x02\xff\xd0\x03"


def a_jpeg(*segments: tuple[int, bytes]) -> bytes:
    def segment(marker: int, payload: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload

    middle = b"".join(segment(*one) for one in segments)
    return b"\xff\xd8" + middle + segment(0xDA, b"\1\1\0\0\x3f\0") + SCAN + b"\xff\xd9"


def exif(orientation: int) -> bytes:
    tag = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + tag + b"\0\0\0\0"


def a_png(*chunks: tuple[bytes, bytes]) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixels = (b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*one) for one in (header, *chunks, pixels, (b"IEND", b""))
    )


def a_webp(*chunks: tuple[bytes, bytes], flags: int = 0) -> bytes:
    whole = ((b"VP8X", bytes([flags]) + bytes(9)), *chunks, (b"VP8L", b"/pixels"))
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in whole
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def a_gif(*extensions: bytes) -> bytes:
    image = b"\x2c" + bytes(8) + b"\0" + b"\2\2\x4c\1\0"
    screen = b"\1\0\1\0\x80\0\0" + bytes(6)
    return b"GIF89a" + screen + b"".join(extensions) + image + b"\x3b"


LOOP = b"\x21\xff\x0bNETSCAPE2.0\3\1\0\0\0"
COMMENT = b"\x21\xfe" + bytes([len(SECRET)]) + SECRET + b"\0"
XMP = b"\x21\xff\x0bXMP DataXMP" + bytes([len(SECRET)]) + SECRET + b"\0"
ICC, ADOBE = b"ICC_PROFILE\0\1\1profile", b"Adobe\0\x64\0\0\0\0\1"


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        pytest.param(
            a_jpeg(
                (0xE0, JFIF),
                (0xE1, exif(1) + SECRET),
                (0xE2, ICC),
                (0xED, SECRET),
                (0xEE, ADOBE),
                (0xFE, SECRET),
            ),
            a_jpeg((0xE0, JFIF), (0xE2, ICC), (0xEE, ADOBE)),
            id="JPEG segments",
        ),
        pytest.param(a_jpeg() + SECRET, a_jpeg(), id="behind a JPEG's end"),
        pytest.param(a_jpeg((0xE2, b"MPF\0" + SECRET)), a_jpeg(), id="JPEG with more pictures"),
        pytest.param(
            a_jpeg((0xE0, JFIF[:12] + b"\1\5" + SECRET)), a_jpeg((0xE0, JFIF)), id="JFIF thumbnail"
        ),
        pytest.param(
            a_jpeg()[:-2] + b"\xff\xfe\0\x11" + SECRET + b"\xff\xd9", a_jpeg(), id="between scans"
        ),
        pytest.param(
            a_png(
                (b"eXIf", SECRET),
                (b"gAMA", b"1234"),
                (b"iTXt", SECRET),
                (b"tIME", SECRET),
                (b"caBX", SECRET),
            ),
            a_png((b"gAMA", b"1234")),
            id="PNG chunks",
        ),
        pytest.param(a_png((b"acTL", bytes(8))), a_png((b"acTL", bytes(8))), id="moving PNG stays"),
        pytest.param(a_png() + SECRET, a_png(), id="behind a PNG's end"),
        pytest.param(
            a_webp((b"ICCP", b"odd"), (b"EXIF", SECRET), (b"XMP ", SECRET), flags=0x2C),
            a_webp((b"ICCP", b"odd"), flags=0x20),
            id="WebP chunks",
        ),
        pytest.param(a_gif(LOOP, COMMENT, XMP), a_gif(LOOP), id="GIF extensions"),
    ],
)
def test_metadata_goes_and_the_picture_stays(body: bytes, wanted: bytes) -> None:
    # By its first bytes: the wrong ending does not keep a position.
    assert without_metadata(body, ".PNG") == wanted
    assert without_metadata(wanted, ".jpg") == wanted


def test_a_jpeg_keeps_how_it_is_turned_and_nothing_else_of_exif() -> None:
    clean = without_metadata(a_jpeg((0xE1, exif(6) + SECRET)), ".jpg")
    assert SECRET not in clean
    assert b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06" in clean
    assert without_metadata(clean, ".jpg") == clean


def test_other_endings_are_given_back_as_they_are() -> None:
    assert without_metadata(b"<svg/>", ".svg") == b"<svg/>"


@pytest.mark.parametrize("body", [a_jpeg(), a_png(), a_webp(), a_gif(LOOP)])
def test_a_picture_cut_anywhere_is_damaged(body: bytes) -> None:
    for end in range(len(body)):
        with pytest.raises(ValueError, match="picture"):
            without_metadata(body[:end], ".jpg")


WHOLE = [
    a_jpeg((0xE0, JFIF), (0xE1, exif(6))),
    a_png((b"tEXt", b"t")),
    a_webp(),
    a_gif(LOOP, COMMENT),
]


@given(st.sampled_from(WHOLE), st.data())
def test_hostile_bytes_give_a_picture_or_a_value_error(body: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(body)))
    noise = data.draw(st.binary(max_size=40) | st.just(b"\xff" * 20_000))
    try:
        clean = without_metadata(body[:at] + noise + body[at + len(noise) :], ".jpg")
    except ValueError:
        return
    assert len(clean) <= len(body) + len(noise) + 8
