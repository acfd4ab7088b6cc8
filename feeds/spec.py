"""Which feeds there are: those of every site (all, per tag, per language) and those that config names."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from posts.settings import Selection, Settings


class FeedSettings(Settings):
    """`[[feeds]]`: a feed beside the ones that always exist."""

    slug: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9][a-z0-9-]*$",
            description="Its name in addresses: `/feeds/SLUG.atom`.",
        ),
    ]
    title: Annotated[str, Field(description="Its title in feed readers.")]
    select: Annotated[Selection, Field(description="Which posts it holds.")] = Selection()
    size: Annotated[
        int, Field(ge=1, le=1000, description="How many of the newest posts a document holds.")
    ] = 50
