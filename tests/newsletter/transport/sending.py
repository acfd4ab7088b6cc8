"""Sends what is on a desk to a scripted server."""

from tests.newsletter.transport.desk import Desk, a_pool, run, send
from tests.newsletter.transport.scripted import Script, Server, serving


def sent(
    desk: Desk, *scripts: Script, until: tuple[str, ...] = ("ana", "ben"), **relay: object
) -> Server:
    """Sends what is on the desk to a server that follows `scripts`, and gives what it heard."""

    async def test() -> Server:
        async with serving(*scripts) as server:
            await send(desk, a_pool(server.port, **relay), *until)
            return server

    return run(test())
