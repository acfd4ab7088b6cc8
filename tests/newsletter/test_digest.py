"""The one value that HTML, text, headlines and web copy are made of."""

from dataclasses import replace
from datetime import timedelta

import pytest

from newsletter.digest import Digest, build_digest, planned_forms, posts_for_reader
from newsletter.story import Form, Story
from posts.model import Enclosure, Post
from tests.newsletter.mail_samples import (
    DATE,
    NEXT,
    SITE,
    WEB_URL,
    a_document_post,
    a_newsletter,
    a_post,
    words,
)


def composed(posts: list[Post], language: str = "en", **values: object) -> Digest:
    settings = {
        name: values.pop(name) for name in ("length", "languages", "subject") if name in values
    }
    usual: dict[str, object] = {"number": 128, "date": DATE, "next_due": NEXT}
    return build_digest(
        a_newsletter(**settings),
        SITE,
        WEB_URL,
        posts,
        language=language,
        **(usual | values),  # type: ignore[arg-type]
    )


def titles(digest: Digest) -> list[str]:
    return [story.title for story in digest.stories]


def some(count: int, **values: object) -> list[Post]:
    return [a_post(number, **values) for number in range(1, count + 1)]


def the_story(post: Post, *, language: str = "en") -> Story:
    """The story of a post that does not lead."""
    digest = composed([a_post(100, published=DATE, lead=True), post], language)
    return next(story for story in digest.stories if story.post == post.id)


def test_the_newest_leads_where_nobody_chose_and_the_others_follow_newest_first() -> None:
    posts = some(4)
    digest = composed([posts[2], posts[0], posts[3], posts[1]])
    assert [story.post for story in digest.stories] == [1, 2, 3, 4]
    assert [story.is_lead for story in digest.stories] == [True, False, False, False]


def test_a_marked_lead_of_an_older_day_stands_first_under_its_own_date_line() -> None:
    posts = [*some(4), a_post(5, lead=True, published=DATE - timedelta(days=1))]
    digest = composed(posts)
    assert [(day.line, [s.post for s in day.stories]) for day in digest.days] == [
        ("Monday, September 14, 2009", [5]),
        ("Tuesday, September 15, 2009", [1, 2, 3]),
        ("Monday, September 14, 2009", [4]),
    ]


def test_of_two_marked_leads_the_newer_leads() -> None:
    posts = [a_post(1), a_post(2, lead=True), a_post(3, lead=True)]
    assert [story.post for story in composed(posts).stories] == [2, 1, 3]


def test_date_lines_are_days_of_the_newsrooms_zone_in_the_readers_language() -> None:
    post = a_post(1, published=DATE.replace(hour=3))  # still Monday evening in Chicago
    assert composed([post]).days[0].line == "Monday, September 14, 2009"
    assert composed([post], "es-MX").days[0].line == "lunes, 14 de septiembre de 2009"


def test_the_masthead_counts_stories_and_minutes() -> None:
    posts = some(5, html=f"<p>{words(360)}</p>")
    assert composed(posts).counts == "No. 128 · 5 stories · 9 minutes"
    assert composed(posts, "es").counts == "N.º 128 · 5 notas · 9 minutos"
    assert composed(posts[:1], number=None).counts == "1 story · 2 minutes"


def test_headlines_come_from_three_posts_on_with_their_minutes() -> None:
    assert composed(some(2)).headlines == ()
    headlines = composed(some(3, html=f"<p>{words(1000)}</p>")).headlines
    assert [(one.title, one.minutes) for one in headlines] == [
        (f"Story number {number}", "5 minutes") for number in (1, 2, 3)
    ]
    assert headlines[0].url == f"{WEB_URL}/2009/09/story-1/"


def test_the_preheader_is_headlines_two_and_three() -> None:
    assert composed(some(5)).preheader == "Story number 2 · Story number 3"
    assert composed([a_post(1, summary="In short.")]).preheader == "In short."


def test_an_issue_of_one_post_has_it_whole() -> None:
    post = a_post(1, html=f"<p>{words(2000)}</p>")
    story = composed([post]).stories[0]
    assert (story.form, story.read_on) == (Form.WHOLE, "")


def test_a_smart_digest_gives_the_lead_more_room_than_the_others() -> None:
    html = "".join(f"<p>{words(30)}</p>" for _ in range(34))
    lead, other = composed([a_post(1, html=html), a_post(2, html=html)]).stories
    assert lead.body_html == "\n".join([*[f"<p>{words(30)}</p>"] * 8, f"<p>{words(10)}</p>"])
    assert other.body_html.count("<p>") == 2
    assert other.read_on == "Read on: 1,020 words, 5 minutes"
    assert the_story(a_post(2, html=html), language="es").read_on == (
        "Seguir leyendo: 1.020 palabras, 5 minutos"
    )


def test_the_authors_own_summary_stands_for_an_excerpt() -> None:
    post = a_post(2, html=f"<p>{words(500)}</p>", summary="Salt & water.")
    assert the_story(post).body_html == "<p>Salt &amp; water.</p>"


@pytest.mark.parametrize("ending", ["", " […]", "...", "… Read more"])
def test_a_summary_that_is_only_the_beginning_is_not_the_authors_own(ending: str) -> None:
    post = a_post(2, html=f"<p>{words(500)}</p>", summary=words(20).rstrip(".") + ending)
    assert the_story(post).body_html == f"<p>{words(60)}</p>"


def test_the_13th_post_is_a_headline_and_the_41st_a_number() -> None:
    digest = composed([a_post(n, html=f"<p>{words(500)}</p>") for n in range(1, 58)])
    assert [story.form for story in digest.stories] == [Form.EXCERPT] * 12 + [Form.HEADLINE] * 28
    assert digest.stories[12].body_html == ""
    assert digest.stories[12].byline.startswith("By Ada Quintero · ")
    assert digest.more == "and 17 more"
    assert {one.why for one in digest.shortened} == {"count"}
    assert len(digest.shortened) == 45


@pytest.mark.parametrize(
    ("length", "count", "forms"),
    [
        ("full", 50, [Form.WHOLE] * 50),
        ("headlines", 42, [Form.HEADLINE] * 40 + [Form.MORE] * 2),
        ("smart", 1, [Form.WHOLE]),
        ("smart", 2, [Form.EXCERPT] * 2),
    ],
)
def test_length_says_how_much_of_each_post(length: str, count: int, forms: list[Form]) -> None:
    assert planned_forms(length, count) == forms


def test_comments_are_counted_and_linked_and_none_are_not_mentioned() -> None:
    url = "https://x.example/#c"
    story = the_story(a_post(1, comment_count=12, comments_url=url))
    assert story.comments is not None
    assert (story.comments.text, story.comments.url) == ("12 comments", url)
    homeless = the_story(a_post(1, comment_count=1, comments_url=None))
    assert homeless.comments is not None
    assert (homeless.comments.text, homeless.comments.url) == ("1 comment", homeless.url)
    for count in (0, None):
        assert the_story(a_post(1, comment_count=count, comments_url=url)).comments is None


def test_sounds_and_films_are_linked_lines() -> None:
    assert [(m.text, m.url) for m in the_story(a_document_post()).media] == [
        ("[Audio: The hearing, 14 minutes]", "https://riverline.example/media/hearing.mp3")
    ]


def test_a_post_in_another_language_is_labelled_with_its_direction() -> None:
    story = the_story(a_post(1, language="ar-EG", title="شهادة"))
    assert (story.label, story.direction, story.language) == ("In Arabic (Egypt)", "rtl", "ar-EG")
    assert the_story(a_post(1, language="es"), language="es-US").label == ""
    assert the_story(a_post(1, language="en"), language="es").label == "En inglés"


def test_a_translated_post_comes_once_in_the_readers_language() -> None:
    english = a_post(1, translation_key="bridge", title="The bridge")
    spanish = a_post(2, translation_key="bridge", title="El puente", language="es")
    for posts in ([english, spanish], [spanish, english]):
        assert titles(composed(posts, "es")) == ["El puente"]
        assert titles(composed(posts, "en")) == ["The bridge"]


def test_a_newsletter_may_carry_only_the_readers_own_language() -> None:
    posts = [a_post(1), a_post(2, language="es", title="El puente")]
    assert titles(composed(posts, "es", languages="own")) == ["El puente"]
    assert posts_for_reader(posts[:1], "es", a_newsletter(languages="own")) == []


def test_a_body_that_cannot_be_laid_out_leaves_its_headline_and_the_rest_goes_out() -> None:
    bad = replace(
        a_post(2),
        content=replace(
            a_post(2).content, html='<p><img src="https://x.example/" alt="a\x01b"></p>'
        ),
    )
    digest = composed([a_post(1), bad, a_post(3)])
    assert [story.form for story in digest.stories] == [Form.EXCERPT, Form.HEADLINE, Form.EXCERPT]
    assert [(one.post, one.why) for one in digest.shortened] == [(2, "fault")]


def test_a_link_that_is_none_of_the_webs_is_not_mailed() -> None:
    assert the_story(a_post(1, link="javascript:alert(1)")).url == f"{WEB_URL}/2009/09/story-1/"
    headlines = composed([a_post(1, link="javascript:alert(1)"), a_post(2), a_post(3)]).headlines
    assert headlines[0].url == f"{WEB_URL}/2009/09/story-1/"
    bad = a_post(
        1, comment_count=1, comments_url="javascript:1", enclosures=(Enclosure(url="javascript:1"),)
    )
    story = the_story(bad)
    assert (story.media, story.comments and story.comments.url) == ((), story.url)
    assert the_story(a_post(1, link="https://blog.example/1")).url == "https://blog.example/1"


def test_a_title_turns_nothing_around() -> None:
    assert the_story(a_post(1, title="a\u202eb\nc")).title == "ab c"


def test_the_footer_says_what_a_reader_may_ask() -> None:
    digest = composed([a_post(1)])
    assert digest.why == (
        "You get this because {address} has been subscribed to The Daily Line{since}."
    )
    assert [(line.label, line.text, line.url) for line in digest.lines] == [
        ("", "The next one comes on Wednesday, September 16, 2009, 6:00\xa0PM.", None),
        ("", "A reply to this mail reaches the editors.", None),
        ("Contact", "desk@riverline.example", "mailto:desk@riverline.example"),
        ("Tips", "https://riverline.example/tips/", "https://riverline.example/tips/"),
        ("Comment policy", "Comments are read before they appear.", None),
        ("", "The River Line, 12 Ferry Street, El Paso, Texas", None),
        ("", "This mail loads nothing and reports nothing.", None),
    ]


def test_the_subject_before_is_that_of_the_readers_language() -> None:
    before = {"en": "Story number 1", "es": "Otra cosa"}
    assert composed([a_post(1)], previous_subject=before).subject == "Story number 1 · No. 128"
    assert composed([a_post(1)], "es", previous_subject=before).subject == "Story number 1"


def test_a_reader_of_a_language_without_furniture_gets_english() -> None:
    digest = composed([a_post(1, language="fr")], "fr")
    assert (digest.language, digest.days[0].stories[0].label) == ("en", "In French")
