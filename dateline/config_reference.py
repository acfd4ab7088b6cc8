"""docs/config.md and docs/config.schema.json, generated from the settings types: `python -m dateline.config_reference`."""

import json
import sys
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel

from dateline.config import Config
from dateline.config_layers import variable_name
from dateline.config_tree import EACH, Setting, list_sections, list_settings

_DOCS = Path(__file__).parent.parent / "docs"

_HEAD = """\
# config.toml: every setting

This page is generated from the settings types by `python -m dateline.config_reference`; edit the descriptions there.

Relative paths count from the folder of config.toml. A length of time is written `30s`, `20m`, `6h`, `14d` or `2w`.
Every fault in the file is told at once, with its line and, for a misspelt name, the nearest known one; nothing
starts before all are mended (exit code 2). `dateline check` looks further: at templates, the database, built feeds.

**From the environment.** Any value can come from a variable, whose name is in the last column: parts are joined by
two underscores, and in a list of sections a number counts from 0 (`DATELINE_NEWSLETTERS__0__SCHEDULE`). The number
after the last one adds a section. A list is written `one, two` or `["one", "two"]`. A name that begins with
`DATELINE_` and is no setting is a fault, `DATELINE_CONFIG` apart: it names the file.

**From a credential.** A file `mail__password` in the folder that `CREDENTIALS_DIRECTORY` names (systemd's
`LoadCredential=` makes it) gives `mail.password`, and so for every setting. The environment goes over the file, a
credential over both. Secrets are never shown, in no error, log or `--json`.

For an editor that knows JSON schemas: `docs/config.schema.json`, for instance with the line
`#:schema docs/config.schema.json` at the top of config.toml.
"""


def reference_text() -> str:
    """The whole of docs/config.md."""
    settings = list_settings(Config)
    parts = [_HEAD]
    for path, section in list_sections(Config):
        rows = [setting for setting in settings if setting.path[:-1] == path]
        parts.append(_section(path, section, rows))
    return "\n".join(parts)


def schema_text() -> str:
    """The whole of docs/config.schema.json: lengths of time as the text that people write."""
    schema = Config.model_json_schema(by_alias=True)
    _write_lengths_as_text(schema)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _section(path: tuple[str, ...], section: type[BaseModel], rows: list[Setting]) -> str:
    head = _header(path)
    about = (section.__doc__ or "").strip().partition(": ")[2] or (section.__doc__ or "")
    about = about.strip()
    lines = [
        f"## `{head}`",
        "",
        about[:1].upper() + about[1:],
        "",
        "| setting | is | default | what it does | variable |",
        "|---|---|---|---|---|",
    ]
    lines += [_row(setting) for setting in rows]
    for inner, _ in list_sections(Config):
        if inner[:-1] == path:
            field = section.model_fields[inner[-1]]
            lines.append(
                f"| `{inner[-1]}` | section `{_header(inner)}` | | {field.description} | |"
            )
    return "\n".join([*lines, ""])


def _header(path: tuple[str, ...]) -> str:
    name = ".".join(part for part in path if part != EACH)
    return f"[[{name}]]" if path[-1] == EACH else f"[{name}]"


def _row(setting: Setting) -> str:
    cells = (
        f"`{setting.path[-1]}`",
        setting.type_text,
        default_text(setting),
        setting.field.description or "",
        f"`{variable_name(setting)}`",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def default_text(setting: Setting) -> str:
    """The default as config.toml would say it; "required" or "none" where there is none."""
    if setting.is_required:
        return "**required**"
    default = setting.field.default
    if default is None:
        return "none"
    return f"`{toml_value(default)}`"


def toml_value(value: object) -> str:
    """A default in TOML's spelling."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return json.dumps(duration_text(value))
    if isinstance(value, tuple):
        return "[" + ", ".join(toml_value(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def duration_text(length: timedelta) -> str:
    """A length of time as people write it, in the largest unit that fits."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        # two days are better read as 48h: `24h` is how people think of a day's patience
        if seconds and seconds % size == 0 and (unit != "d" or seconds >= 2 * size):
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _write_lengths_as_text(node: object) -> None:
    """pydantic describes a length of time as ISO 8601, which config.toml does not read; its defaults likewise."""
    if isinstance(node, dict):
        if node.get("format") == "duration":
            node["pattern"] = r"^\d+\s*(s|min|m|h|d|w)$|^0$"
            del node["format"]
            if isinstance(default := node.get("default"), str):
                node["default"] = _from_iso(default)
        for inner in node.values():
            _write_lengths_as_text(inner)
    elif isinstance(node, list):
        for inner in node:
            _write_lengths_as_text(inner)


def _from_iso(text: str) -> str:
    from pydantic import TypeAdapter

    return duration_text(TypeAdapter(timedelta).validate_python(text))


def write_reference(folder: Path = _DOCS) -> list[Path]:
    """Writes both files into `folder` and gives their paths."""
    texts = {"config.md": reference_text(), "config.schema.json": schema_text()}
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    return [folder / name for name in texts]


if __name__ == "__main__":
    for path in write_reference():
        sys.stdout.write(f"wrote {path}\n")
