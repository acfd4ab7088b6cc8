"""The one Jinja2 environment: packaged templates, an operator's folder before them."""

from pathlib import Path

import jinja2

from newsletter.environment import build_environment


def build_templates(operator_folder: Path | None) -> jinja2.Environment:
    """Sandboxed, autoescaping (not for .txt), strict about undefined names; mail/ and web/ are its folders."""
    return build_environment(
        loader=jinja2.FileSystemLoader(template_folders(operator_folder), followlinks=True),
        autoescape=lambda name: name is None or not name.endswith((".txt", ".txt.j2")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def template_folders(operator_folder: Path | None) -> list[Path]:
    """Where templates are looked for: an operator's folder first, then ours."""
    packaged = Path(__file__).parent / "templates"
    return [operator_folder, packaged] if operator_folder else [packaged]
