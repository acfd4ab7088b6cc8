"""WebSub, as far as it decides: which addresses are told to which hub now, and what an answer means. Pure.

A publisher tells its hubs that a topic has changed; the hub fetches the topic and passes the bytes on (W3C WebSub 6;
what is sent to a hub is the publisher's and the hub's own affair there, every hub takes `hub.mode=publish`).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from posts.settings import Settings


class WebsubSettings(Settings):
    """`[websub]`: the hubs that pass on at once what is new."""

    hubs: Annotated[
        tuple[str, ...],
        Field(
            max_length=8,
            description="Addresses of hubs: each document names them, and they are told of every change.",
        ),
    ] = ()
    allow_private: Annotated[
        bool, Field(description="The hubs may be at private addresses, one's own hub for instance.")
    ] = False
