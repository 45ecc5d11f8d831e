"""The tables of the docs that are made of the types, and of what was measured last.

``python -m tests.tables`` writes them.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable

from benchmarks.report import kept
from hyn_k8s.api.reference import chart_values, search_job_fields

ROOT = pathlib.Path(__file__).parent.parent
DOCS = ROOT / "docs"
README = ROOT / "README.md"

TABLES: dict[str, Callable[[], str]] = {
    "searchjob.md": search_job_fields,
    "chart.md": chart_values,
}
"""By the file whose one table each is."""


def with_table(text: str, table: str) -> str:
    """``text`` with ``table`` between its marks."""
    marks = r"(<!-- table: [^\n]* -->\n).*(<!-- end of table -->)"
    found, count = re.subn(marks, lambda match: match[1] + table + match[2], text, flags=re.S)
    assert count == 1, "there is no place for the table"
    return found


if __name__ == "__main__":
    for name, make in TABLES.items():
        path = DOCS / name
        path.write_text(with_table(path.read_text(), make()))
    README.write_text(with_table(README.read_text(), kept()))
