"""Pictures and other media that lie beside folder posts: copied into `[paths] media`, so that pages can show them.

`photo.jpg` beside `content/2009/juarez.md` is served as `/media/content/2009/photo.jpg`. Nothing is ever deleted there:
mails and feeds that went out keep their pictures.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from posts.model import SourceFault
from posts.text import ascii_slug

_MEDIA = frozenset(
    (
        *(".avif", ".gif", ".jpeg", ".jpg", ".png", ".svg", ".webp"),
        *(".m4a", ".mp3", ".mp4", ".oga", ".ogg", ".opus", ".pdf", ".wav", ".webm"),
    )
)
"""Only these leave the folder: a draft or a note beside a picture is nobody's business."""
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
            _copy_changed(real, target / place)
        except OSError as error:
            faults.append(
                SourceFault(
                    source=source,
                    place=f"{source.rstrip('/')}/{os.fsencode(place).decode('utf-8', 'replace')}",
                    what=f"is not shown on its page: {error.strerror or error}.",
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
            if not name.startswith((".", "_")) and Path(name).suffix.lower() in _MEDIA:
                yield Path(here, name)


def _copy_changed(file: Path, copy: Path) -> None:
    """Copies unless size and time are the same; never half a file under the name that is served."""
    wanted = file.stat()
    try:
        there = copy.stat()
        if (there.st_size, there.st_mtime_ns) == (wanted.st_size, wanted.st_mtime_ns):
            return
    except FileNotFoundError:
        copy.parent.mkdir(parents=True, exist_ok=True)
    part = copy.with_name(f".{copy.name}.part")
    shutil.copy2(file, part)
    part.chmod(0o644)
    os.replace(part, copy)
