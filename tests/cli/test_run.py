"""``hyn-k8s run`` as a user runs it: real commands, real clusters, scripts of their own."""

from __future__ import annotations

import csv
import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import uuid
from dataclasses import dataclass

import pytest

from tests.cli.scripts import SEARCH, write_script
from tests.mounts import MOUNT_NAMESPACE
from tests.processes import (
    BARE_ENVIRONMENT,
    BIN,
    DaskCluster,
    S3Server,
    free_port,
    run_cli,
    run_python,
)
from tests.rows import most_at_once
from tests.waiting import until

pytestmark = pytest.mark.processes


def trials(run: pathlib.Path) -> list[dict[str, str]]:
    with (run / "search-1/trials.csv").open() as file:
        return list(csv.DictReader(file))


@dataclass
class Ended:
    """A run of the script that is over, and where it left what."""

    folder: pathlib.Path
    code: int
    out: str
    err: str

    @property
    def run(self) -> pathlib.Path:
        return self.folder / "workdir/mine-1"


class TestEmbedded:
    """One run on the embedded cluster, in which a worker is killed, looked at from all sides."""

    @pytest.fixture(scope="class")
    @classmethod
    def ended(cls, tmp_path_factory: pytest.TempPathFactory) -> Ended:
        folder = tmp_path_factory.mktemp("embedded")
        script = write_script(folder / "scripts")
        options = ["--trials", "12", "--seconds", "0.4", "--exit", "3"]
        options += ["--kill-once", str(folder / "killed")]
        (folder / "temporary").mkdir()
        env = {"TMPDIR": str(folder / "temporary")}
        done = run_cli("run", "--executors", "2", "scripts/mine.py", *options, cwd=folder, env=env)
        assert script.exists()
        return Ended(folder, done.returncode, done.stdout, done.stderr)

    def test_the_exit_code_is_the_scripts(self, ended: Ended) -> None:
        assert ended.code == 3, ended.err

    def test_the_body_ran_once_without_a_guard_although_a_worker_came_back(
        self, ended: Ended
    ) -> None:
        assert (ended.folder / "killed" / "killed").exists()
        (body,) = (ended.folder / "body.jsonl").read_text().splitlines()
        assert json.loads(body) == {
            "argv": ["scripts/mine.py", *json.loads(body)["argv"][1:]],
            "cwd": str(ended.folder),
            "name": "__main__",
            "file": str(ended.folder / "scripts/mine.py"),
        }
        assert json.loads(body)["argv"][1:3] == ["--trials", "12"]

    def test_every_trial_succeeded_on_two_workers_at_once(self, ended: Ended) -> None:
        rows = trials(ended.run)
        assert [row["status"] for row in rows] == ["succeeded"] * 12
        assert {row["worker"] for row in rows} == {"worker-1", "worker-2"}
        assert most_at_once(rows) == 2

    def test_classes_functions_and_lambdas_of_the_script_were_on_the_workers(
        self, ended: Ended
    ) -> None:
        assert re.search(r"^best \d+ 0\.\d+ 0\.\d+$", ended.out, re.MULTILINE)

    def test_the_script_owns_standard_output_and_progress_goes_to_standard_error(
        self, ended: Ended
    ) -> None:
        assert "done" not in ended.out
        assert "mine-1/search-1: 12 trials; dashboard http://127.0.0.1:" in ended.err
        assert re.search(
            r"mine-1/search-1: 12/12 done, 0 running, 1 trial process died, best auc 0\.", ended.err
        )
        assert f"Results: {ended.run}" in ended.err

    def test_the_best_model_loads_in_a_process_that_never_saw_the_script(
        self, ended: Ended
    ) -> None:
        program = "import hyn_k8s; print(hyn_k8s.load_best('mine-1').shape.area())"
        loaded = run_python("-c", program, cwd=ended.folder)
        assert loaded.returncode == 0, loaded.stderr
        assert loaded.stdout.split()[-1] == ended.out.split()[-1]

    def test_results_shows_the_run(self, ended: Ended) -> None:
        shown = run_cli("results", "--top", "3", cwd=ended.folder)
        assert shown.returncode == 0
        assert "mine-1/search-1: finished, 12 of 12 trials done" in shown.stdout
        assert shown.stdout.count("succeeded") == 3

    def test_no_process_or_file_of_the_cluster_is_left(self, ended: Ended) -> None:
        assert str(ended.folder / "temporary") not in command_lines()
        assert list((ended.folder / "temporary").glob("hyn-k8s-*")) == []


def command_lines() -> str:
    """The command lines of all processes."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_text().replace("\0", " "))
        except OSError:
            continue
    return "\n".join(found)


class TestSeparateCluster:
    """Hypernets' own page: the documented variables, a scheduler and three workers of one's own."""

    def test_over_a_shared_directory(self, cluster: DaskCluster, tmp_path: pathlib.Path) -> None:
        write_script(tmp_path)
        env = {
            "HYN_SEARCH_BACKEND": "dask",
            "DASK_SCHEDULER_ADDRESS": cluster.address,
            "HYN_STORAGE_TYPE": "file",
            "HYN_STORAGE_ROOT": str(tmp_path / "share"),
        }
        options = ("--trials", "9", "--seconds", "0.5")
        done = run_cli("run", "mine.py", *options, cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
        rows = trials(tmp_path / "share/mine-1")
        assert {row["worker"] for row in rows} == {"node-1", "node-2", "node-3"}
        assert most_at_once(rows) == 3
        assert len(list((tmp_path / "share/mine-1/search-1/models").iterdir())) == 9

    def test_over_s3_with_the_secret_nowhere(
        self, cluster: DaskCluster, s3: S3Server, tmp_path: pathlib.Path
    ) -> None:
        write_script(tmp_path)
        bucket = f"runs-{uuid.uuid4().hex}"
        env = {**s3.env, "HYN_STORAGE_ROOT": f"/{bucket}", "HYN_SEARCH_BACKEND": "dask"}
        script = ("mine.py", "--trials", "30", "--fail", "some")  # of six, all may fail by chance
        done = run_cli("run", "--scheduler", cluster.address, *script, cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
        shown = run_cli("results", "--format", "json", cwd=tmp_path, env=env)
        assert json.loads(shown.stdout)["run"] == "mine-1"
        texts = [done.stdout, done.stderr, shown.stdout]
        texts += [path.read_text() for path in cluster.folder.glob("*.log")]
        assert not any(s3.secret_key in text for text in texts)
        assert not any(s3.secret_key.encode() in data for data in s3.objects(bucket).values())
        assert not (tmp_path / "workdir").exists()

    def test_flags_win_over_variables(self, cluster: DaskCluster, tmp_path: pathlib.Path) -> None:
        write_script(tmp_path)
        env = {
            "HYN_SEARCH_EXECUTORS": "three",
            "DASK_SCHEDULER_ADDRESS": f"tcp://127.0.0.1:{free_port()}",
            "HYN_STORAGE_TYPE": "ftp",
            "HYN_STORAGE_ROOT": "/proc/nowhere",
            "HYN_SEARCH_BACKEND": "dusk",
            "HYN_RUN_ID": "a/b",
        }
        flags = ["--executors", "1", "--scheduler", cluster.address, "--storage-type", "file"]
        flags += ["--storage-root", str(tmp_path / "root"), "--backend", "dask", "--run", "mine"]
        done = run_cli("run", *flags, "mine.py", "--trials", "2", cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
        assert len(trials(tmp_path / "root/mine")) == 2

    def test_a_search_without_a_success_exits_1_and_shows_the_last_error(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        write_script(tmp_path)
        arguments = ("run", "--scheduler", cluster.address, "mine.py", "--fail", "all")
        done = run_cli(*arguments, cwd=tmp_path)
        assert done.returncode == 1
        error = done.stderr.strip().splitlines()[-1]
        assert re.fullmatch(
            "Error: mine-1/search-1: none of its 6 trials succeeded; the last error: "
            r"ValueError: value [\de.-]+ is too great \(trial [1-6]\)",
            error,
        )
        failures = (tmp_path / "workdir/mine-1/search-1/failures.txt").read_text()
        assert failures.count("Traceback (most recent call last)") == 6
        assert "raise ValueError" in failures or "in fit" in failures

    def test_what_the_script_raises_is_shown_without_our_frames(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        write_script(tmp_path)
        arguments = ("run", "--scheduler", cluster.address, "mine.py", "--then-raise")
        done = run_cli(*arguments, cwd=tmp_path)
        assert done.returncode == 1
        assert f'File "{tmp_path}/mine.py", line ' in done.stderr
        assert "KeyError: 'after the search'" in done.stderr
        assert "hyn_k8s/" not in done.stderr
        assert "runpy" not in done.stderr
        assert len(trials(tmp_path / "workdir/mine-1")) == 6

    def test_ctrl_c_ends_with_the_results_so_far(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        write_script(tmp_path)
        # Where tests run in the background of a shell, their children would not hear of Ctrl-C.
        command = ["env", "--default-signal=INT", str(BIN / "hyn-k8s"), "run"]
        command += ["--scheduler", cluster.address, "mine.py"]
        with (tmp_path / "err").open("wb") as err:
            running = subprocess.Popen(
                [*command, "--trials", "1000", "--seconds", "0.2"],
                cwd=tmp_path,
                env=BARE_ENVIRONMENT,
                stderr=err,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        shown = tmp_path / "err"
        until(lambda: re.search(r" [1-9]\d*/1000 done", shown.read_text()), "a line of progress")
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=60) == 130
        assert "Traceback" not in shown.read_text()
        assert "mine-1/search-1: interrupted, " in shown.read_text()
        summary = json.loads((tmp_path / "workdir/mine-1/search-1/summary.json").read_text())
        assert summary["state"] == "interrupted"
        assert 1 <= summary["trials"]["done"] == len(trials(tmp_path / "workdir/mine-1")) < 1000

    def test_a_terminal_gets_a_live_bar(self, cluster: DaskCluster, tmp_path: pathlib.Path) -> None:
        write_script(tmp_path)
        ours, theirs = pty.openpty()
        command = [str(BIN / "hyn-k8s"), "run", "--scheduler", cluster.address, "mine.py"]
        with (tmp_path / "out").open("wb") as out:
            running = subprocess.Popen(
                [*command, "--seconds", "1.5"],
                cwd=tmp_path,
                env={**BARE_ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "120"},
                stderr=theirs,
                stdout=out,
            )
        os.close(theirs)
        drawn = b""
        try:
            while chunk := os.read(ours, 65536):
                drawn += chunk
        except OSError:
            pass  # the terminal's other end is closed: the command is over
        finally:
            os.close(ours)
        assert running.wait(timeout=60) == 0
        text = drawn.decode()
        assert "\x1b[" in text
        assert "━" in text
        assert (tmp_path / "out").read_text().startswith("body began\n")
        for part in ("3/6", "3 running", "best auc", "left", "/status", "6/6"):
            assert part in text, part


SCHEDULERS = """
import psutil
def schedulers():
    commands = [child.cmdline() for child in psutil.Process().children()]
    return sum("scheduler" in command for command in commands)
print("before", schedulers())
"""


class TestEmbeddedEarly:
    """A scheduler takes a second to start, and so does Hypernets: both do at the same time."""

    def run(self, folder: pathlib.Path, head: str, *options: str) -> list[str]:
        """What the script says of schedulers, before and after its search."""
        script = write_script(folder)
        searched = SEARCH.replace("best = model", "print('after', schedulers())\nbest = model", 1)
        script.write_text(SCHEDULERS + head + searched)
        done = run_cli("run", *options, "mine.py", "--trials", "2", cwd=folder)
        assert done.returncode == 0, done.stderr
        return [line for line in done.stdout.splitlines() if line.startswith(("before", "after"))]

    def test_it_starts_before_the_script_does(self, tmp_path: pathlib.Path) -> None:
        assert self.run(tmp_path, "") == ["before 1", "after 1"]

    def test_it_ends_where_the_script_has_a_cluster_of_its_own(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        head = f"from distributed import Client\nclient = Client({cluster.address!r})\n"
        assert self.run(tmp_path, head) == ["before 1", "after 0"]

    @pytest.mark.parametrize("options", [["--backend", "standalone"], ["--scheduler"]])
    def test_it_does_not_start_where_it_is_not_needed(
        self, cluster: DaskCluster, tmp_path: pathlib.Path, options: list[str]
    ) -> None:
        address = [cluster.address] if options == ["--scheduler"] else []
        assert self.run(tmp_path, "", *options, *address) == ["before 0", "after 0"]


class TestStandalone:
    def test_trials_run_in_the_scripts_own_process(self, tmp_path: pathlib.Path) -> None:
        write_script(tmp_path)
        done = run_cli("run", "--backend", "standalone", "mine.py", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert {row["worker"] for row in trials(tmp_path / "workdir/mine-1")} == {"driver"}


class TestRefused:
    """Whatever is wrong before the start is told in a sentence, and costs nothing."""

    def refused(self, done: subprocess.CompletedProcess[str], code: int) -> str:
        assert done.returncode == code, done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        return done.stderr

    @pytest.mark.parametrize(
        ("env", "said"),
        [
            ({"HYN_SEARCH_BACKEND": "dusk"}, "HYN_SEARCH_BACKEND (--backend): found 'dusk'"),
            ({"HYN_SEARCH_EXECUTORS": "0"}, "HYN_SEARCH_EXECUTORS (--executors): found '0'"),
            ({"HYN_STORAGE_TYPE": "ftp"}, "HYN_STORAGE_TYPE (--storage-type): found 'ftp'"),
            ({"HYN_STORAGE_OPTIONS": "{'secret'"}, "HYN_STORAGE_OPTIONS: found text that is no"),
            ({"HYN_STORAGE_TYPE": "s3"}, "HYN_STORAGE_ROOT (--storage-root): found no bucket"),
        ],
    )
    def test_a_wrong_variable(self, tmp_path: pathlib.Path, env: dict[str, str], said: str) -> None:
        write_script(tmp_path)
        error = self.refused(run_cli("run", "mine.py", cwd=tmp_path, env=env), code=2)
        assert error.startswith(f"Error: {said}")
        assert "accepted: " in error
        assert "'secret'" not in error
        assert not (tmp_path / "workdir").exists()
        assert not (tmp_path / "body.jsonl").exists()

    def test_a_mistyped_name_is_a_warning(self, tmp_path: pathlib.Path) -> None:
        env = {"HYN_SEARCH_EXECUTOR": "4"}
        error = self.refused(run_cli("run", "nowhere.py", cwd=tmp_path, env=env), code=2)
        assert error.splitlines() == [
            "Warning: HYN_SEARCH_EXECUTOR is no setting of hyn-k8s and is ignored; "
            "did you mean HYN_SEARCH_EXECUTORS?",
            "Error: nowhere.py: No such file or directory",
        ]

    def test_a_script_that_is_no_python(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "broken.py").write_text("x = (1,\ny = 2\n")
        error = self.refused(run_cli("run", "broken.py", cwd=tmp_path), code=2)
        assert error.startswith("Error: broken.py: it is no valid Python\n")
        assert f'File "{tmp_path}/broken.py", line 1' in error

    def test_a_name_that_a_directory_of_the_users_has(self, tmp_path: pathlib.Path) -> None:
        write_script(tmp_path)
        (tmp_path / "data").mkdir()
        (tmp_path / "data/clients.csv").write_text("mine")
        name = ["--storage-root", ".", "--run", "data"]
        error = self.refused(run_cli("run", *name, "mine.py", cwd=tmp_path), code=1)
        assert error.splitlines() == [
            f"Error: run data: {tmp_path}/data is there and is no run: it holds clients.csv; "
            "choose another name (HYN_RUN_ID (--run))"
        ]
        assert not (tmp_path / "body.jsonl").exists()
        assert sorted(path.name for path in tmp_path.glob("[!.]*")) == [
            "data",
            "mine.py",
            "shapes.py",
        ]
        assert (tmp_path / "data/clients.csv").read_text() == "mine"

    def test_an_unreachable_scheduler(self, tmp_path: pathlib.Path) -> None:
        write_script(tmp_path)
        address = f"tcp://127.0.0.1:{free_port()}"
        done = run_cli("run", "--scheduler", address, "mine.py", cwd=tmp_path)
        assert done.returncode == 1
        assert f"Error: Dask scheduler {address}: no answer within 15 s" in done.stderr
        assert "Traceback" not in done.stderr
        assert list((tmp_path / "workdir").glob("[!.]*")) == []

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ("size=4k", "No space left on device (ENOSPC): no space is left on it; free some"),
            ("ro", "Read-only file system (EROFS): it is mounted read-only"),
        ],
    )
    def test_a_storage_that_cannot_be_written(
        self, tmp_path: pathlib.Path, options: str, said: str
    ) -> None:
        write_script(tmp_path)
        root = tmp_path / "mount"
        root.mkdir()
        fill = f"head -c 8192 /dev/zero > {root}/filler 2>/dev/null; " if "size" in options else ""
        mount = f'mount -t tmpfs -o {options} none {root} && {fill}exec "$@"'
        prefix = (*MOUNT_NAMESPACE, "sh", "-c", mount, "sh")
        done = run_cli("run", "--storage-root", str(root), "mine.py", cwd=tmp_path, prefix=prefix)
        error = self.refused(done, code=1)
        assert error.startswith(f"Error: storage {root}: {said}")
        assert not (tmp_path / "body.jsonl").exists()

    @pytest.mark.parametrize(
        "backend", ["standalone", pytest.param("dask", marks=pytest.mark.full)]
    )
    def test_a_storage_that_fills_up_blames_no_trial_and_with_more_room_the_run_goes_on(
        self, tmp_path: pathlib.Path, backend: str
    ) -> None:
        write_script(tmp_path)
        root = tmp_path / "mount"
        root.mkdir()
        mount = f'mount -t tmpfs -o size=2m none {root} && "$@"; echo "code $?"; '
        mount += f'mount -o remount,size=50m {root} && "$@"; c=$?; '
        mount += f"cat {root}/mine-1/search-1/summary.json; exit $c"
        prefix = (*MOUNT_NAMESPACE, "sh", "-c", mount, "sh")
        options = ["--backend", backend, "--executors", "1", "--storage-root", str(root)]
        script = ["mine.py", "--trials", "30", "--model-bytes", "200000"]
        env = {"HYN_STORAGE_PATIENCE": "1"}
        done = run_cli("run", *options, *script, cwd=tmp_path, prefix=prefix, env=env)
        assert "code 75\n" in done.stdout, done.stderr
        assert f"Error: storage {root}: No space left on device" in done.stderr
        assert "Traceback" not in done.stderr
        continuing = re.search(r"continuing mine-1: (\d+) of 30 done", done.stderr)
        assert continuing is not None
        assert 5 <= int(continuing[1]) < 12
        assert done.returncode == 0
        summary = json.loads(done.stdout[done.stdout.index("{") :])
        assert summary["state"] == "finished"
        assert summary["trials"] == {
            "done": 30, "succeeded": 30, "failed": 0, "pruned": 0, "skipped": 0,
        }  # fmt: skip

    def test_wrong_s3_credentials(self, s3: S3Server, tmp_path: pathlib.Path) -> None:
        write_script(tmp_path)
        env = {**s3.env, "HYN_STORAGE_ROOT": "/bucket", "HYN_STORAGE_SECRET_KEY": "wr0ng-secret"}
        error = self.refused(run_cli("run", "mine.py", cwd=tmp_path, env=env), code=1)
        assert error.startswith("Error: storage s3://bucket at http://127.0.0.1:")
        assert "HYN_STORAGE_SECRET_KEY" in error
        assert "wr0ng-secret" not in error


class TestTheSameCommandAgain:
    """Which run it is; what a driver may suffer in between is in tests/faults."""

    @staticmethod
    def run(tmp_path: pathlib.Path, *arguments: str) -> str:
        done = run_cli("run", "--backend", "standalone", *arguments, cwd=tmp_path)
        return done.stderr

    def test_a_finished_run_shows_its_results_and_nothing_of_it_changes(
        self, tmp_path: pathlib.Path
    ) -> None:
        write_script(tmp_path)
        self.run(tmp_path, "--run", "mine", "mine.py")
        before = contents(tmp_path / "workdir/mine")
        error = self.run(tmp_path, "--run", "mine", "mine.py")
        assert "continuing mine: 6 of 6 done" in error
        assert "mine/search-1: finished, 6 of 6 trials done" in error
        assert contents(tmp_path / "workdir/mine") == before

    def test_more_trials_are_added_to_a_finished_run(self, tmp_path: pathlib.Path) -> None:
        write_script(tmp_path)
        self.run(tmp_path, "--run", "mine", "mine.py")
        before = trials(tmp_path / "workdir/mine")
        error = self.run(tmp_path, "--run", "mine", "mine.py", "--trials", "8")
        assert "continuing mine: 6 of 8 done" in error
        assert trials(tmp_path / "workdir/mine")[:6] == before
        assert len(trials(tmp_path / "workdir/mine")) == 8

    def test_a_finished_run_without_a_name_is_followed_by_another_one(
        self, tmp_path: pathlib.Path
    ) -> None:
        write_script(tmp_path)
        for _ in range(2):
            self.run(tmp_path, "mine.py")
        assert sorted(path.name for path in (tmp_path / "workdir").glob("[!.]*")) == [
            "mine-1",
            "mine-2",
        ]

    def test_a_script_that_raised_after_its_search_goes_on_after_it(
        self, tmp_path: pathlib.Path
    ) -> None:
        write_script(tmp_path)
        self.run(tmp_path, "mine.py", "--then-raise")
        before = trials(tmp_path / "workdir/mine-1")
        error = self.run(tmp_path, "mine.py", "--then-raise")
        assert "continuing mine-1: 6 of 6 done; --restart begins anew" in error
        assert trials(tmp_path / "workdir/mine-1") == before

    def test_restart_begins_anew(self, tmp_path: pathlib.Path) -> None:
        write_script(tmp_path)
        self.run(tmp_path, "mine.py", "--then-raise")
        assert "continuing" not in self.run(tmp_path, "--restart", "mine.py", "--then-raise")
        assert len(trials(tmp_path / "workdir/mine-2")) == 6

    def test_restart_of_a_named_run_keeps_aside_what_there_is(self, tmp_path: pathlib.Path) -> None:
        write_script(tmp_path)
        self.run(tmp_path, "--run", "mine", "mine.py")
        before = contents(tmp_path / "workdir/mine/search-1")
        error = self.run(tmp_path, "--run", "mine", "--restart", "mine.py")
        assert "mine/search-1.2: finished, 6 of 6 trials done" in error
        assert contents(tmp_path / "workdir/mine/search-1") == before

    @pytest.mark.parametrize("edited", ["loads.py", "depths.py", None])
    def test_one_that_was_edited_while_it_loaded_its_data_begins_anew(
        self, tmp_path: pathlib.Path, edited: str | None
    ) -> None:
        """It was killed later: its trials are of the text that it was started with."""
        source, signal = write_script(tmp_path).read_text(), tmp_path / "loading"
        (tmp_path / "depths.py").write_text("DEPTH = 3\n")
        (tmp_path / "loads.py").write_text(f"{LOADS}\n{source}")
        options = ["loads.py", "--trials", "8", "--seconds", "0.2"]
        with (tmp_path / "log").open("wb") as log:
            first = subprocess.Popen(
                [BIN / "hyn-k8s", "run", "--backend", "standalone", *options],
                cwd=tmp_path,
                env={**BARE_ENVIRONMENT, "LOADS": str(signal)},
                stdout=log,
                stderr=log,
            )
        try:
            until(signal.exists, "the script to load its data")
            if edited is not None:
                (tmp_path / edited).open("a").write("\n# edited\n")
            signal.unlink()
            models = tmp_path / "workdir/loads-1/search-1/models"
            until(lambda: models.exists() and len(list(models.iterdir())) > 2, "three trials")
        finally:
            first.kill()
            first.wait()
        error = self.run(tmp_path, *options)
        assert ("continuing loads-1" in error) == (edited is None)
        runs = sorted(path.name for path in (tmp_path / "workdir").glob("[!.]*"))
        assert runs == (["loads-1"] if edited is None else ["loads-1", "loads-2"])
        assert len(trials(tmp_path / "workdir" / runs[-1])) == 8

    def test_another_space_is_refused_by_name(self, tmp_path: pathlib.Path) -> None:
        script = write_script(tmp_path)
        self.run(tmp_path, "--run", "mine", "mine.py")
        before = contents(tmp_path / "workdir/mine")
        script.write_text(
            script.read_text().replace("x, grain = Real(0, 1", "x, grain = Real(0, 2")
        )
        error = self.run(tmp_path, "--run", "mine", "mine.py")
        assert "Error: run mine: search-1 was begun otherwise: its space's " in error
        assert "choose another name, or begin anew with --restart" in error
        assert contents(tmp_path / "workdir/mine") == before


LOADS = """
import os, pathlib, time
import depths

signal = os.environ.get("LOADS")
if signal:
    pathlib.Path(signal).touch()
    while os.path.exists(signal):
        time.sleep(0.02)
"""
"""The first lines of a script that takes its time before it searches."""


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    """Every file below ``folder``."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


class TestHelp:
    @pytest.mark.parametrize("command", [[], ["run"], ["results"]])
    def test_every_help_has_examples(self, tmp_path: pathlib.Path, command: list[str]) -> None:
        shown = run_cli(*command, "--help", cwd=tmp_path)
        assert shown.returncode == 0
        assert f"hyn-k8s {' '.join(command)}".strip() in shown.stdout.split("Examples:")[1]

    def test_completion_offers_commands_and_options(self, tmp_path: pathlib.Path) -> None:
        def offered(line: str) -> str:
            words = line.split(" ")
            env = {
                "_HYN_K8S_COMPLETE": "bash_complete",
                "COMP_WORDS": line,
                "COMP_CWORD": str(len(words) - 1),
            }
            return run_cli(cwd=tmp_path, env=env).stdout

        assert "plain,run" in offered("hyn-k8s r")
        assert "plain,--executors" in offered("hyn-k8s run --ex")
        assert "plain,standalone" in offered("hyn-k8s run --backend st")
