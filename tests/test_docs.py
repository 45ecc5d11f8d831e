"""The docs say what is so: tables, reasons, links, and SearchJobs that can be applied."""

from __future__ import annotations

import pathlib
import re
import sys
from subprocess import run

import pytest
import yaml

from hyn_k8s.api.conditions import ConditionType, Reason
from hyn_k8s.api.search_job import SearchJob, SearchJobSpec
from hyn_k8s.names import DRIVER, SCHEDULER, WORKER
from hyn_k8s.objects import dask_cluster, driver_job
from tests.objects.searches import search
from tests.pages import PAGES, ROOT, fenced, marked
from tests.tables import DOCS, TABLES, with_table

IDS = [page.name for page in PAGES]

CHANGED = re.compile(
    r"spec\.(\w+) must not change once the search has begun"
    r"( except while its condition Suspended is True)?"
)


def doc(name: str) -> str:
    return (DOCS / name).read_text()


def rows(text: str) -> list[list[str]]:
    """The cells of every row of every table of a page."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def words(cell: str) -> set[str]:
    """What a cell has as code."""
    return set(re.findall(r"`([^`]+)`", cell))


def anchors(text: str) -> set[str]:
    """What may stand behind ``#`` in a link to a page, as GitHub makes it of the headings."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    heads = re.findall(r"^#+ (.+)$", prose, re.M)
    return {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_that_of_the_types(name: str) -> None:
    assert doc(name) == with_table(doc(name), TABLES[name]()), "run: python -m tests.tables"


@pytest.mark.processes
@pytest.mark.parametrize(("word", "name"), [("fields", "searchjob.md"), ("values", "chart.md")])
def test_the_command_prints_it(word: str, name: str) -> None:
    command = [sys.executable, "-m", "hyn_k8s.api", word]
    assert run(command, capture_output=True, text=True, check=True).stdout == TABLES[name]()
    assert f"<!-- table: python -m hyn_k8s.api {word} -->" in doc(name)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_no_pattern_in_it(name: str) -> None:
    for row in rows(TABLES[name]()):
        assert len(row) == 4, row
        assert not re.search(r"\^|\\|\[\^|\$", "".join(row)), row


def test_every_field_has_its_row() -> None:
    (_, _, *table) = rows(TABLES["searchjob.md"]())
    paths = [next(iter(words(field))) for field, *_ in table]
    assert len(paths) == len(set(paths))
    top = [path for path in paths if "." not in path]
    assert top == [field.alias or name for name, field in SearchJobSpec.model_fields.items()]
    assert {"storage.file.claimName", "worker.resources.requests", "script.configMap.key"} <= {
        *paths
    }


class TestWaiting:
    def test_every_reason_is_explained_once_and_nothing_else(self) -> None:
        said = [row for row in rows(doc("waiting.md")) if row[0].startswith("`")]
        assert sorted(row[0].strip("`") for row in said) == sorted(Reason)
        for reason, on, *_ in said:
            assert words(on), reason
            assert words(on) <= {*ConditionType}, reason

    @pytest.mark.parametrize("reason", Reason)
    def test_it_is_on_the_conditions_that_its_type_names(self, reason: Reason) -> None:
        (row,) = [row for row in rows(doc("waiting.md")) if row[0] == f"`{reason}`"]
        said = REASONS[reason.name].partition(":")[0]
        named = {each for each in ConditionType if re.search(rf"\b{each}\b(=|,|:|$)", said)}
        assert named <= words(row[1])


def _reasons() -> dict[str, str]:
    """The docstring of each reason, by its name in Python."""
    source = (ROOT / "hyn_k8s/api/conditions.py").read_text()
    found = re.findall(r'^    ([A-Z_]+) = "\w+"\n    """(.*?)"""', source, re.S | re.M)
    return {name: text for name, text in found if name in Reason.__members__}


REASONS = _reasons()


class TestSearchJob:
    def test_every_condition_is_explained(self) -> None:
        said = {row[0].strip("`") for row in rows(doc("searchjob.md"))}
        assert {*ConditionType} <= said

    def test_what_may_change_is_what_the_rules_say(self) -> None:
        fixed = [match for rule in SearchJob.rules if (match := CHANGED.fullmatch(rule.message))]
        between = {match[1] for match in fixed if match[2]}
        fields = {field.alias or name for name, field in SearchJobSpec.model_fields.items()}
        free = fields - {match[1] for match in fixed}
        said = {row[1]: words(row[0]) for row in rows(doc("searchjob.md")) if len(row) == 2}
        assert said["at any time"] == free
        (rest,) = [what for when, what in said.items() if "`suspend` stays true" in when]
        assert rest == between

    def test_what_pods_ask_for_is_what_they_ask_for(self) -> None:
        cluster, job = dask_cluster(search(), 1)["spec"], driver_job(search())["spec"]["template"]
        pods = {DRIVER: job, SCHEDULER: cluster["scheduler"], WORKER: cluster["worker"]}
        said = {row[0]: row[1:] for row in rows(doc("searchjob.md"))}
        for role, pod in pods.items():
            (container,) = pod["spec"]["containers"]
            requests = container["resources"]["requests"]
            assert said[role] == [requests["cpu"], requests["memory"]]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
class TestEachPage:
    def test_every_link_leads_somewhere(self, page: pathlib.Path) -> None:
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            if link.startswith("https://"):
                continue
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), link
            if anchor:
                assert anchor in anchors(target.read_text()), link

    def test_every_command_is_run_by_something(self, page: pathlib.Path) -> None:
        found = marked(page)
        assert len({each.name for each in found}) == len(found)
        assert len(found) == len(fenced(page.read_text(), "console", "bash", "sh", "shell"))
        for each in found:
            runner = (ROOT / each.runner).read_text()
            if each.runner.endswith(".py"):
                assert f'"{each.name}"' in runner, each.name
            else:
                assert all(line in runner for line in each.lines), each.lines

    def test_no_command_hides_among_what_is_printed(self, page: pathlib.Path) -> None:
        for block in fenced(page.read_text(), "", "text"):
            assert not re.search(r"^\$ ", block, re.M), block

    def test_every_search_job_is_one(self, page: pathlib.Path) -> None:
        for block in fenced(page.read_text(), "yaml"):
            for manifest in yaml.safe_load_all(block):
                if isinstance(manifest, dict) and manifest.get("kind") == "SearchJob":
                    SearchJob.model_validate(manifest)


def test_there_are_search_jobs_in_the_docs() -> None:
    shown = [block for page in PAGES for block in fenced(page.read_text(), "yaml")]
    assert any("kind: SearchJob" in block for block in shown)


def test_every_sample_is_shown() -> None:
    linked = set(re.findall(r"samples/([a-z0-9-]+)\.yaml\)", doc("searchjob.md")))
    assert linked == {file.stem for file in (ROOT / "manifests" / "samples").glob("*.yaml")}
