"""Jinja2 as mails use it: sandboxed and bounded, and what is put in later can be printed and nothing else."""

from collections.abc import Callable
from typing import Any  # Jinja's own signatures say Any

from jinja2 import nodes
from jinja2.runtime import BlockReference, Context, Macro
from jinja2.sandbox import SandboxedEnvironment

from newsletter.rendering import TooMuch, counted, known, only_printed, spend, whole

_LONGEST = 100_000
"""Characters or items that `*` may make."""
_HARMLESS = ("e", "escape")
"""Filters that do nothing to a mark."""


class BoundedEnvironment(SandboxedEnvironment):
    """Counts the turns and calls of a rendering and guards marks (rendering.py, marks.py); what is not rendered by
    `rendering.rendered`, such as a page, is not bounded."""

    intercepted_binops = frozenset({"*", "**"})

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        _guard(tree)
        tree.set_environment(self)
        return tree

    def call(
        self, context: Context, obj: Callable[..., object], /, *args: object, **kwargs: object
    ) -> object:
        """A call out of a template."""
        spend()
        result: object = super().call(context, obj, *args, **kwargs)
        return only_printed(result) if isinstance(obj, Macro | BlockReference) else result

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # as above
        """`*` and `**`: a short template must not make a gigabyte."""
        if operator == "**" and (abs(left) > _LONGEST or abs(right) > 64):
            raise TooMuch("a power that is too high")
        for one, other in ((left, right), (right, left)):
            is_repeat = isinstance(one, int) and isinstance(other, str | list | tuple)
            if operator == "*" and is_repeat and one * len(other) > _LONGEST:
                raise TooMuch(f"a text or list of more than {_LONGEST:,}")
        return super().call_binop(context, operator, left, right)


def build_environment(**options: Any) -> BoundedEnvironment:  # Jinja's options
    """An environment with the filters that the guards are."""
    environment = BoundedEnvironment(**options)
    environment.filters |= {"_counted": counted, "_known": known, "_whole": whole}
    return environment


def _guard(tree: nodes.Template) -> None:
    """Puts a guard before each filter, test and captured block, and a counter into each loop."""
    for loop in tree.find_all(nodes.For):
        if isinstance(loop.iter, nodes.Expr):
            loop.iter = _filtered(loop.iter, "_counted")
    for test in tree.find_all(nodes.Test):
        is_lookup = test.name in ("defined", "undefined")
        test.node = _filtered(test.node, "_known" if is_lookup else "_whole")
    for used in list(tree.find_all(nodes.Filter)):
        if used.name not in (*_HARMLESS, "_counted", "_known", "_whole"):
            used.node = _filtered(used.node, "_whole", used.lineno)
    for block in tree.find_all(nodes.AssignBlock):
        if block.filter is None:
            block.filter = _filtered(None, "_whole", block.lineno)


def _filtered(node: nodes.Expr | None, name: str, lineno: int | None = None) -> nodes.Filter:
    line = lineno if node is None else node.lineno
    return nodes.Filter(node, name, [], [], None, None, lineno=line)
