"""Every kind of source by its name: one function reads any of them."""

from datetime import datetime
from pathlib import Path

from posts.errors import SourceError
from posts.fetch import Fetcher
from posts.settings import Site, SourceSettings
from posts.source_states import SourceState
from posts.sources.folder import read_folder
from posts.sources.reading import Reading
from posts.sources.remote_feed import failed, read_remote_feed


def read_source(
    settings: SourceSettings,
    *,
    folder: Path,
    fetcher: Fetcher,
    state: SourceState,
    site: Site,
    now: datetime,
) -> Reading:
    """Reads a source; one that cannot be read gives a reading that is `failed` and waits longer. Writes nothing.

    `folder` is the one that holds config.toml.
    """
    if settings.kind == "feed":
        return read_remote_feed(settings, fetcher=fetcher, state=state, site=site, now=now)
    try:
        return read_folder(settings, folder=folder, state=state, site=site, now=now)
    except SourceError as error:
        return failed(settings, state, error, now=now)
