from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posts.errors import PostError
from posts.sources.front_matter import parse_front_matter

CHICAGO = ZoneInfo("America/Chicago")


def read_all(text: str) -> None:
    front = parse_front_matter(text, "a.md")
    front.text("title")
    front.date(CHICAGO, "date")
    front.flag("draft")
    front.names("tags")


def test_yaml_between_three_hyphens():
    front = parse_front_matter(
        '---\ntitle: "A: b"\ntags: [x, "y z"]\nlead: true\n---\nBody\n', "a.md"
    )
    assert (front.text("title"), front.names("tags"), front.flag("lead")) == (
        "A: b",
        ("x", "y z"),
        True,
    )
    assert front.body == "Body\n"


def test_toml_between_three_plus_signs():
    front = parse_front_matter(
        '+++\ntitle = "A"\ndate = 2009-09-15T08:00:00-06:00\ntags = ["x"]\ndraft = true\n+++\nBody',
        "a.md",
    )
    assert front.text("title") == "A"
    assert front.date(CHICAGO, "date") == datetime(2009, 9, 15, 14, tzinfo=UTC)
    assert front.names("tags") == ("x",)
    assert front.flag("draft")
    assert front.body == "Body"


def test_a_text_without_front_matter_is_all_body():
    assert parse_front_matter("# Head\n\n---\n", "a.md").body == "# Head\n\n---\n"


def test_line_ends_of_windows_are_read():
    front = parse_front_matter("---\r\ntitle: x\r\n---\r\nBody\r\n", "a.md")
    assert (front.text("title"), front.body) == ("x", "Body\n")


def test_values_stay_as_they_were_typed():
    front = parse_front_matter("---\ntitle: No\nslug: 2009\nid: 1.10\nsummary: ~\n---\n", "a.md")
    assert [front.text(key) for key in ("title", "slug", "id", "summary")] == [
        "No",
        "2009",
        "1.10",
        None,
    ]


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        pytest.param(
            "2009-09-15", datetime(2009, 9, 15, 5, tzinfo=UTC), id="a day in the site's zone"
        ),
        pytest.param(
            "2009-09-15 08:00",
            datetime(2009, 9, 15, 13, tzinfo=UTC),
            id="a time in the site's zone",
        ),
        pytest.param(
            "2009-09-15T08:00:00Z", datetime(2009, 9, 15, 8, tzinfo=UTC), id="a zone of its own"
        ),
    ],
)
def test_dates(written, moment):
    assert (
        parse_front_matter(f"---\ndate: {written}\n---\n", "a.md").date(CHICAGO, "date") == moment
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("---\ntitle: x\ndate: 15/9\n---\n",
                     'a.md:3: "date" is not a date: "15/9". Write it as 2009-09-15 or 2009-09-15T08:00-06:00.',
                     id="no date"),
        pytest.param("---\ntitle: x\ndate: 0001-01-01T00:00:00Z\n---\n",
                     'a.md:3: "date" lies outside the years 1000 to 2999: "0001-01-01T00:00:00Z". Write the right year.',
                     id="year 1"),
        pytest.param("---\ndate: 9999-12-31\n---\n", 'a.md:2: "date" lies outside the years', id="year 9999"),
        pytest.param("---\ndate: 9999-99-31\n---\n", 'a.md:2: "date" is not a date', id="no day in year 9999"),
        pytest.param("---\nlang: en\ntitle: Foo: bar\n---\n",
                     'a.md:3: "title" holds a colon and is not quoted. Write it as title: "Foo: bar".', id="a colon"),
        pytest.param("---\ntitle: x\nBody without an end\n", "a.md:1: the front matter begins with --- and never ends.",
                     id="no end"),
        pytest.param("---\ntitle: x\ntags: [a, b\n---\n", "a.md:4: the front matter is not YAML", id="an open list"),
        pytest.param("---\n- a\n- b\n---\n", "a.md:2: the front matter is not a list of fields.", id="a list"),
        pytest.param("---\ntitle: x\ntitle: y\n---\n", 'a.md:3: "title" is there twice.', id="twice"),
        pytest.param("---\ntitle: x\ndraft: maybe\n---\n", 'a.md:3: "draft" is neither true nor false: "maybe".',
                     id="no flag"),
        pytest.param("---\ntitle: [a]\n---\n", 'a.md:2: "title" is not a text.', id="a list for a text"),
        pytest.param("---\ntags: {a: b}\n---\n", 'a.md:2: "tags" is not a list of names.', id="a table for names"),
        pytest.param("---\ntitle: x\n\tdate: y\n---\n", "a.md:3: a tab stands where YAML wants spaces.", id="a tab"),
        pytest.param('+++\ntitle = "x"\ndate = 15/9\n+++\n', "a.md:3: the front matter is not TOML", id="broken TOML"),
        pytest.param('+++\ntitle = "x"\n\ndate = "15/9"\n+++\n', 'a.md:4: "date" is not a date', id="a date in TOML"),
        pytest.param("---\n" + "[" * 5000 + "\n---\n", "a.md:", id="deep"),
        pytest.param("---\ntitle: " + "x" * 70_000 + "\n---\n", "a.md:1: the front matter is longer", id="long"),
    ],
)  # fmt: skip
def test_faults_name_file_and_line_and_say_what_to_do(text, message):
    with pytest.raises(PostError) as caught:
        read_all(text)
    assert str(caught.value).startswith(message)


def test_references_that_multiply_are_not_followed():
    laughs = "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
    )
    front = parse_front_matter(f"---\na: &a [x]\n{laughs}title: t\n---\n", "a.md")
    assert front.text("title") == "t"


@given(st.sampled_from(["---", "+++"]), st.text(max_size=200))
def test_any_head_is_read_or_refused(fence, head):
    where = "a.md:"
    try:
        parse_front_matter(f"{fence}\n{head}\n{fence}\nbody", "a.md")
    except PostError as error:
        where = error.where
    assert where.startswith("a.md:")
