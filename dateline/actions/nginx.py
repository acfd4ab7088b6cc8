"""The nginx file of this press: its addresses, hubs, redirects and removed feeds."""

import json

from dateline.config_rules import listen_address
from dateline.nginx import nginx_text
from dateline.press import Press
from dateline.redirects import Redirects


def nginx_file(press: Press, *, is_proxy: bool) -> str:
    """The file; with `is_proxy` nginx asks the daemon for everything that is no file, without it `public` stands alone."""
    config = press.config
    host, port = listen_address(config.web.listen)
    daemon = f"{'127.0.0.1' if host == '0.0.0.0' else f'[{host}]' if ':' in host else host}:{port}"
    return nginx_text(
        web_url=config.web.url,
        public=str(press.public.resolve()),
        hubs=config.websub.hubs,
        moved=Redirects(config.redirects, web_url=config.web.url).targets,
        gone=_gone(press),
        daemon=daemon if is_proxy else None,
    )


def _gone(press: Press) -> list[str]:
    """The documents of removed feeds, as the last build noted them."""
    try:
        listed = json.loads((press.var / "built" / "gone.json").read_bytes())
    except (OSError, ValueError):
        return []
    return [path for path in listed if isinstance(path, str)] if isinstance(listed, list) else []
