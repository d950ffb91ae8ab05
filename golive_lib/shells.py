"""IPython and JupyterLab: results that show themselves, and query names completed inside quotes.

Loaded when the kit is imported in a running shell, or as an IPython extension.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from golive_lib.formats import mask_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

# By name, so that nothing is imported before it is shown.
_SHOWN = (
    ("aftercare", "Aftercare"),
    ("canary", "StageResult"),
    ("checks", "CheckResult"),
    ("checks", "Checks"),
    ("verdicts", "Outcome"),
    ("verdicts", "Status"),
    ("verdicts", "Verdict"),
    ("launch", "Launch"),
    ("launch", "Queries"),
    ("plan", "Plan"),
    ("proof", "Proof"),
    ("proof", "Proofs"),
    ("proof", "Section"),
    ("query", "Query"),
    ("readiness", "Readiness"),
    ("rls", "Coverage"),
)
# Texts and dicts have a form of IPython's own, which would come before the bundle's.
_TEXTS = (("verdicts", "Status"), ("verdicts", "Verdict"), ("launch", "Queries"))
MATCHER = "golive"
_CALL = re.compile(
    r"(?P<launch>[A-Za-z_]\w*)\.(?P<method>check|checks|frame|query|sql|table)\(\s*[\"'](?P<text>[\w/]*)$"
)


def attach() -> None:
    """Do so in the shell that runs, if one does."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        load_ipython_extension(shell)


def load_ipython_extension(shell: Any) -> None:  # noqa: ANN401  IPython's own type, imported only where it runs
    """Teach a shell to show and to complete; doing it twice changes nothing."""
    formatter = shell.display_formatter.mimebundle_formatter
    for module, name in _SHOWN:
        formatter.for_type_by_name(f"golive_lib.{module}", name, _bundle)
    plain = shell.display_formatter.formatters["text/plain"]
    for module, name in _TEXTS:
        plain.for_type_by_name(f"golive_lib.{module}", name, _pretty)
    for module in ("pandas", "pandas.core.frame"):  # where older ones say that they come from
        shell.display_formatter.formatters["text/html"].for_type_by_name(module, "DataFrame", _rows)
        plain.for_type_by_name(module, "DataFrame", _plain_rows)
    matchers = shell.Completer.custom_matchers
    if not any(getattr(each, "matcher_identifier", "") == MATCHER for each in matchers):
        matchers.append(_matcher(shell))


def _bundle(result: object) -> dict[str, str]:
    from golive_lib.results import shown  # noqa: PLC0415  the views load when the first result is shown

    return shown(result)._repr_mimebundle_()


def _pretty(result: object, printer: Any, _cycle: bool) -> None:  # noqa: ANN401  IPython's own type
    from golive_lib.results import shown  # noqa: PLC0415  as above

    printer.text(shown(result).text)


def _rows(frame: Any) -> str | None:  # noqa: ANN401  pandas' own, imported only where it is there
    """Show a DataFrame as pandas does, people's data masked."""
    html = frame._repr_html_()
    return mask_rows(html) if html else None


def _plain_rows(frame: object, printer: Any, _cycle: bool) -> None:  # noqa: ANN401  IPython's own type
    printer.text(mask_rows(repr(frame)))


def _matcher(shell: Any) -> Any:  # noqa: ANN401  likewise
    from IPython.core.completer import SimpleCompletion, context_matcher  # noqa: PLC0415  only in a shell

    def of_golive(context: Any) -> dict[str, Any]:  # noqa: ANN401  likewise
        call = _CALL.search(context.text_until_cursor)
        known = shell.user_ns.get(call["launch"]) if call else None
        found = names(known, call["method"], call["text"]) if call else ()
        # What is typed of the word since the last character that IPython takes for a word's end.
        skip = len(call["text"]) - len(context.token) if call and call["text"].endswith(context.token) else 0
        completions = [SimpleCompletion(text=name[skip:], type="query") for name in found]
        return {"completions": completions, "suppress": bool(found)}

    return context_matcher(identifier=MATCHER)(of_golive)


def names(launch: object, method: str, text: str) -> Sequence[str]:
    """Return what may stand in the quotes of ``launch.method("text``: names, and of folders for ``checks``."""
    from golive_lib.launch import Launch  # noqa: PLC0415  as the views

    if not isinstance(launch, Launch):
        return ()
    wanted = [name for name, query in launch.queries.items() if query.expect or method not in ("check", "checks")]
    folders = {name.rsplit("/", 1)[0] for name in wanted} if method == "checks" else set()
    return sorted(name for name in {*wanted, *folders} if name.startswith(text) and not name.startswith("sources/"))
