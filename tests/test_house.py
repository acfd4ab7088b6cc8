"""The house keeps itself: sizes, where SQL stands, what is documented, what imports what."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("posts", "feeds", "newsletter", "dateline")
MODULES = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "migrations/versions" not in path.as_posix()
)

SQL_MODULES = {
    "posts/database.py",
    "posts/tables.py",
    "posts/store.py",
    "posts/journal.py",
    "posts/source_states.py",
    "newsletter/tables.py",
}
"""Modules that may speak SQL: one a table group. Each newsletter module in it says so in its first line."""

TYPE_IGNORES = 20
"""May only fall."""


def name_of(path: Path) -> str:
    """The module's path inside the repository."""
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_is_longer_than_500_lines_and_no_function_than_80(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 500
    for function in functions(path):
        assert (function.end_lineno or 0) - function.lineno < 80, function.name


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_and_public_function_says_what_it_is_for(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module's first line says which one thing it does"
    missing = [
        node.name
        for parent in [
            tree,
            *(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name[0] != "_"),
        ]
        for node in parent.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert missing == []


def test_sql_stands_only_in_its_modules() -> None:
    speaks = re.compile(
        r"sa\.(select|insert|update|delete|text)\(|exec_driver_sql|\.insert\(\)\.values|\b(INSERT INTO|SELECT .* FROM)\b"
    )
    strangers = {
        name_of(path)
        for path in MODULES
        if speaks.search(path.read_text())
        and name_of(path) not in SQL_MODULES
        and "SQL" not in (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()[0]
    }
    assert strangers == set()


def test_the_number_of_silenced_type_errors_only_falls() -> None:
    count = sum(path.read_text().count("# type: ignore") for path in MODULES)
    assert count <= TYPE_IGNORES


def commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every verb below a group, with its path of names."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def test_every_verb_and_option_is_in_the_docs() -> None:
    from dateline.cli.main import dateline

    page = (ROOT / "docs" / "cli.md").read_text()
    for path, command in commands(dateline):
        assert "dateline " + " ".join(path) in page
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert max(option.opts, key=len) in page, (path, option.opts)


def test_every_setting_is_in_the_docs_with_its_meaning() -> None:
    from pydantic import BaseModel

    page = (ROOT / "docs" / "config.md").read_text()
    for module in ("posts.settings", "feeds.spec", "newsletter.spec"):
        for thing in vars(import_module(module)).values():
            if isinstance(thing, type) and issubclass(thing, BaseModel):
                for name, field in thing.model_fields.items():
                    key = field.alias or name
                    section = f"[[mail.{key}]]" if thing.__name__ == "MailSettings" else key
                    assert f"`{key}`" in page or f"`{section}`" in page, (thing.__name__, name)
                    assert field.description, (thing.__name__, name)


def test_no_file_names_a_path_of_a_machine_or_a_package_index() -> None:
    machine = re.compile(r"(^|[^A-Za-z0-9_.])/(work|farm|root|home)/[a-z]")
    index = re.compile(r"--(extra-)?index-url|https?://\S*(/simple/|\.whl)")
    for name in ("pyproject.toml", "constraints.txt", "requirements.lock", ".ci/run", "README.md"):
        text = (ROOT / name).read_text()
        assert not machine.search(text), name
        assert not index.search(text), name


def test_constraints_carry_no_hash_and_the_lock_carries_them() -> None:
    assert "--hash" not in (ROOT / "constraints.txt").read_text()
    lock = (ROOT / "requirements.lock").read_text()
    names = re.findall(r"^([A-Za-z0-9_.-]+)==", lock, re.MULTILINE)
    assert len(names) > 30
    assert all(
        re.search(rf"^{re.escape(name)}==", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
        for name in names
    )
