"""An editor begins: `dateline init`, for a folder and from a living blog."""

import http.server
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from dateline.actions.init import Answers, default_from, local_timezone, write_beginning
from dateline.cli.main import dateline
from dateline.config import load_config
from dateline.config_faults import ConfigError
from posts.errors import SourceError

NOW = datetime(2026, 11, 24, 20, 30, 15, tzinfo=UTC)

PAGE = b"""<!doctype html><html lang="es"><head><title>La Plaza</title>
<meta name="description" content="Noticias del barrio">
<link rel="alternate" type="application/rss+xml" href="/rss.xml">
<link rel="alternate" type="application/atom+xml" href="/atom.xml"></head><body></body></html>"""

ATOM = b"""<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="es">
<id>tag:plaza,2026:feed</id><title>La Plaza</title><subtitle>Noticias del barrio</subtitle>
<updated>2026-11-20T10:00:00Z</updated>
<entry><id>tag:plaza,2026:1</id><title>Uno</title><updated>2026-11-20T10:00:00Z</updated>
<link href="/uno"/><content type="html">&lt;p&gt;Uno&lt;/p&gt;</content></entry></feed>"""


class _Blog(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body, kind = (ATOM, "application/atom+xml") if "atom" in self.path else (PAGE, "text/html")
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def blog() -> Iterator[str]:
    """The address of a living blog on this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Blog)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_new_newsroom_has_a_good_configuration_and_a_first_post_dated_now(tmp_path: Path) -> None:
    begun = write_beginning(tmp_path, Answers(title="Gazette", timezone="Europe/Madrid"), now=NOW)
    assert begun.written == ("config.toml", "content/2026-11-24-first-post.md")
    config = load_config(tmp_path / "config.toml", {})
    assert (config.site.title, config.newsletters[0].slug) == ("Gazette", "daily")
    assert config.web.url == config.site.url == "http://127.0.0.1:8300"
    post = (tmp_path / "content/2026-11-24-first-post.md").read_text("utf-8")
    assert "date: 2026-11-24T21:30:00+01:00" in post


def test_init_run_twice_overwrites_nothing_and_says_what_is_there(tmp_path: Path) -> None:
    run = CliRunner()
    first = run.invoke(dateline, ["init", str(tmp_path), "--title", "One"])
    assert first.exit_code == 0, first.output
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    second = run.invoke(dateline, ["init", str(tmp_path), "--title", "Two"])
    assert second.exit_code == 0
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert f"Left as it is: {tmp_path}/config.toml" in second.output


def test_a_folder_that_holds_posts_gets_no_first_post(tmp_path: Path) -> None:
    (tmp_path / "articles" / "2009").mkdir(parents=True)
    (tmp_path / "articles/2009/old.md").write_text("---\ntitle: Old\n---\nOld.", "utf-8")
    args = ["init", str(tmp_path / "news"), "--content", str(tmp_path / "articles")]
    assert CliRunner().invoke(dateline, args).exit_code == 0
    config = load_config(tmp_path / "news/config.toml", {})
    assert config.sources[0].location == str(tmp_path / "articles")
    assert [path.name for path in (tmp_path / "articles").rglob("*.md")] == ["old.md"]


def test_a_folder_inside_is_named_from_the_configuration(tmp_path: Path) -> None:
    args = ["init", str(tmp_path), "--content", str(tmp_path / "words")]
    assert CliRunner().invoke(dateline, args).exit_code == 0
    assert load_config(tmp_path / "config.toml", {}).sources[0].location == "words"


def test_init_from_a_blog_takes_its_title_tagline_language_and_atom_feed(
    tmp_path: Path, blog: str
) -> None:
    result = CliRunner().invoke(dateline, ["init", str(tmp_path), "--from", blog])
    assert result.exit_code == 0, result.output
    config = load_config(tmp_path / "config.toml", {})
    assert (config.site.title, config.site.tagline) == ("La Plaza", "Noticias del barrio")
    assert (config.site.language, config.site.url) == ("es", blog)
    [source] = config.sources
    assert (source.kind, source.location) == ("feed", blog + "atom.xml")
    assert source.allow_private is True
    assert not (tmp_path / "content").exists()
    assert "boletín" in config.newsletters[0].title
    assert "issues compose daily --latest 5" in result.output


def test_a_server_address_is_written_and_is_not_the_blogs(tmp_path: Path, blog: str) -> None:
    url = "https://news.example.org"
    CliRunner().invoke(dateline, ["init", str(tmp_path), "--from", blog, "--url", url])
    config = load_config(tmp_path / "config.toml", {})
    assert (config.web.url, config.site.url) == (url, blog)


def test_a_blog_that_does_not_answer_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    result = CliRunner().invoke(dateline, ["init", str(folder), "--from", "http://127.0.0.1:9/"])
    assert isinstance(result.exception, SourceError)
    assert not folder.exists()


def test_an_answer_that_could_not_stand_in_a_configuration_is_refused_before_writing(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigError, match="Did you mean Europe/Madrid"):
        write_beginning(tmp_path / "new", Answers(timezone="Europe/Madird"), now=NOW)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("title", ['The "Gazette"', "A \\ B", "# [x]", "日本 🙂"])
def test_any_title_comes_back_from_the_file_as_it_was_typed(tmp_path: Path, title: str) -> None:
    write_beginning(tmp_path, Answers(title=title), now=NOW)
    assert load_config(tmp_path / "config.toml", {}).site.title == title


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://www.gazette.example/", "news@gazette.example"),
        ("http://127.0.0.1:8300", "news@example.org"),
        ("http://[::1]/", "news@example.org"),
        ("http://localhost", "news@example.org"),
    ],
)
def test_mails_come_from_the_newsrooms_own_host_where_it_has_a_name(url: str, address: str) -> None:
    assert default_from(url) == address


def test_the_zone_of_the_machine_is_the_default_and_nonsense_is_utc() -> None:
    assert local_timezone({"TZ": "America/Chicago"}) == "America/Chicago"
    assert local_timezone({"TZ": ":America/Chicago"}) == "America/Chicago"
    assert local_timezone({"TZ": "Etc/UTC"}) == "UTC"
