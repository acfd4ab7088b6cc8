"""Pictures and other media that lie beside folder posts: copied into `[paths] media`, so that pages can show them.

`photo.jpg` beside `content/2009/juarez.md` is served as `/media/content/2009/photo.jpg`. Nothing is ever deleted there:
mails and feeds that went out keep their pictures. JPEG, PNG, WebP and GIF are copied without their metadata
(`posts/pictures.py`); sound, film, PDF and SVG are copied as they are, and may say where and by whom they were made.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from posts.model import SourceFault
from posts.pictures import without_metadata
from posts.text import ascii_slug

_MEDIA = frozenset(
    (
        *(".gif", ".jpeg", ".jpg", ".png", ".svg", ".webp"),
        *(".m4a", ".mp3", ".mp4", ".oga", ".ogg", ".opus", ".pdf", ".wav", ".webm"),
    )
)
"""Only these leave the folder: a draft or a note beside a picture is nobody's business."""
_UNCLEANED = frozenset((".avif",))
"""Browsers show them, and we cannot take the camera's position out: a fault each, and no copy."""
_MAX_FILE = 100_000_000


def media_base_url(web_url: str, source: str, path: str) -> str:
    """What the relative addresses in the folder post at `path` count from: where its neighbours are served."""
    parent = PurePosixPath(path).parent.as_posix()
    below = "" if parent == "." else f"{quote(parent)}/"
    return f"{web_url.rstrip('/')}/media/{_folder_name(source)}/{below}"


def copy_media(root: Path, media: Path, *, source: str) -> list[SourceFault]:
    """Copies the media below `root` that are new or changed; what cannot be copied is a fault and stops nothing."""
    faults = []
    real_root = root.resolve()
    target = media / _folder_name(source)
    for path in _list_media(real_root, skipped=media.resolve()):
        place = path.relative_to(real_root)
        try:
            real = path.resolve(strict=True)
            if not real.is_relative_to(real_root):
                raise OSError("it is a symbolic link that leads out of the folder")
            if real.stat().st_size > _MAX_FILE:
                raise OSError(f"it is larger than {_MAX_FILE // 1_000_000} MB")
            if path.suffix.lower() in _UNCLEANED:
                raise ValueError(
                    "where and with what it was taken cannot be removed from this kind"
                )
            _copy_changed(real, target / place)
        except (OSError, ValueError) as error:
            faults.append(
                SourceFault(
                    source=source,
                    place=f"{source.rstrip('/')}/{os.fsencode(place).decode('utf-8', 'replace')}",
                    what=f"is not shown on its page: {getattr(error, 'strerror', None) or error}.",
                    remedy="Its post goes out without it.",
                )
            )
    return faults


def _folder_name(source: str) -> str:
    return ascii_slug(source) or "content"


def _list_media(root: Path, *, skipped: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith((".", "_")) and Path(here, name) != skipped
        )
        for name in sorted(names):
            if not name.startswith((".", "_")) and Path(name).suffix.lower() in (
                _MEDIA | _UNCLEANED
            ):
                yield Path(here, name)


def _copy_changed(file: Path, copy: Path) -> None:
    """Copies unless size and time are the same; never half a file under the name that is served."""
    wanted = _stamp(file.stat())
    try:
        if copy.stat().st_mtime_ns == wanted:
            return
    except FileNotFoundError:
        copy.parent.mkdir(parents=True, exist_ok=True)
    # By the name that is served, not by the one a link leads to.
    body = without_metadata(file.read_bytes(), copy.suffix)
    part = copy.with_name(f".{copy.name}.part")
    part.write_bytes(body)
    os.utime(part, ns=(wanted, wanted))
    part.chmod(0o644)
    os.replace(part, copy)


def _stamp(stat: os.stat_result) -> int:
    """The time a copy bears: the original's second, and a mark of its exact time and size below that.

    A cleaned copy is smaller than its original, so its own size tells nothing; and a copy from before pictures were
    cleaned bears the original's time itself, and is so replaced. Whole microseconds, which file systems keep.
    """
    second = 1_000_000_000
    mark = zlib.crc32(f"{stat.st_size} {stat.st_mtime_ns}".encode()) % 1_000_000
    return stat.st_mtime_ns // second * second + mark * 1000
