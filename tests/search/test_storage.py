"""One contract for every storage, and what each of them says when it cannot be used."""

from __future__ import annotations

import json
import pathlib
import random
import subprocess
import sys
import textwrap
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from hyn_k8s.errors import StorageError
from hyn_k8s.search import s3 as s3_module
from hyn_k8s.search.bucket import ensure_bucket
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.opening import open_storage, open_usable_storage
from hyn_k8s.search.s3 import S3Storage
from hyn_k8s.search.settings import Settings, StorageSettings
from hyn_k8s.search.storage import Storage
from tests.mounts import MOUNT_NAMESPACE
from tests.processes import S3Server, free_port
from tests.s3_proxy import without_conditions

Opener = Callable[[], Storage]


def s3_storage(server: S3Server, root: str, **changes: str) -> S3Storage:
    environ = {**server.env, "HYN_STORAGE_ROOT": root, **changes}
    storage = open_storage(Settings.from_env(environ, "/").storage)
    assert isinstance(storage, S3Storage)
    return storage


OpenerAt = Callable[[str], Storage]
"""Gives a storage whose root is this path, below one that no other test has."""

STRANGE_NAMES = ["re [v2]", "x?", "*", "[ab]", "[!a]", "{a,b}", "über", "a+b %20&=#", "a b", "~"]
"""Of a file or a root, all of them legal; some are patterns to a shell."""


class StorageContract:
    """What every storage does; ``open`` gives a new storage object on the same place."""

    @pytest.fixture
    def open_at(self) -> OpenerAt:
        raise NotImplementedError

    @pytest.fixture
    def open(self) -> Opener:
        raise NotImplementedError

    def test_what_is_written_is_read_by_another_object(self, open: Opener) -> None:
        open().write("run/a.bin", b"\x00one")
        assert open().read("run/a.bin") == b"\x00one"

    def test_a_second_write_replaces_the_first(self, open: Opener) -> None:
        storage = open()
        storage.write("run/a", b"first, and longer")
        storage.write("run/a", b"second")
        assert storage.read("run/a") == b"second"

    def test_pieces_become_one_file(self, open: Opener) -> None:
        open().write("run/a", b"first")
        open().write_pieces("run/a", [b"one", memoryview(b" and "), b"", b"another"])
        assert open().read("run/a") == b"one and another"
        open().write_pieces("run/b", [])
        assert open().read("run/b") == b""

    def test_a_range_is_read_for_itself(self, open: Opener) -> None:
        open().write("run/a", b"0123456789")
        ranges = [(0, 10), (0, 3), (3, 7), (9, 10)]
        found = [open().read_range("run/a", start, end) for start, end in ranges]
        assert found == [b"0123456789", b"012", b"3456", b"9"]
        with pytest.raises(FileNotFoundError):
            open().read_range("run/b", 0, 3)

    def test_sizes_are_as_they_are_now(self, open: Opener) -> None:
        storage = open()
        assert storage.size("run/a") == 0
        open().write("run/a", b"four")
        assert storage.size("run/a") == 4
        open().write("run/a", b"a longer one")
        assert storage.size("run/a") == 12

    def test_reading_what_is_not_there(self, open: Opener) -> None:
        open().write("run/a", b"")
        for path in ("run/b", "other/a", "run/a/below"):
            with pytest.raises(FileNotFoundError):
                open().read(path)

    def test_create_refuses_what_is_there(self, open: Opener) -> None:
        open().create("run/name", b"mine")
        with pytest.raises(FileExistsError):
            open().create("run/name", b"yours")
        assert open().read("run/name") == b"mine"

    def test_of_many_creators_one_wins(self, open: Opener) -> None:
        won: list[bytes] = []

        def claim(name: bytes) -> None:
            try:
                open().create("run/claimed", name)
                won.append(name)
            except FileExistsError:
                pass

        threads = [threading.Thread(target=claim, args=(f"{n}".encode(),)) for n in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert won == [open().read("run/claimed")]

    def test_list_names_files_and_directories_directly_below(self, open: Opener) -> None:
        storage = open()
        storage.write("run/a", b"1")
        storage.write("run/deep/b", b"2")
        assert storage.list("run") == ["a", "deep"]
        assert storage.list("") == ["run"]
        assert storage.list("nowhere") == []

    def test_list_sees_what_another_has_written_since(self, open: Opener) -> None:
        reader, writer = open(), open()
        writer.write("run/a", b"1")
        assert reader.list("run") == ["a"]
        writer.write("run/b", b"2")
        assert reader.list("run") == ["a", "b"]
        assert reader.read("run/b") == b"2"

    def test_delete_takes_a_file_and_nothing_else(self, open: Opener) -> None:
        storage = open()
        storage.write("run/a", b"1")
        storage.write("run/deep/b", b"2")
        storage.delete("run/a")
        assert storage.list("run") == ["deep"]
        storage.delete("run/a")
        storage.delete("run")
        assert storage.list_files("") == ["run/deep/b"]

    def test_delete_all_takes_files_and_nothing_else(self, open: Opener) -> None:
        storage = open()
        names = [f"run/{number:04d}" for number in range(7)]
        for name in names:
            storage.write(name, b"1")
        storage.write("run/0001-beside", b"2")
        storage.delete_all([*names[:5], "run/absent", "run", "elsewhere/x"])
        assert storage.list_files("run") == ["run/0001-beside", *names[5:]]
        storage.delete_all([])

    def test_remove_directory_takes_only_an_empty_one(self, open: Opener) -> None:
        storage = open()
        storage.write("run/deep/b", b"2")
        storage.remove_directory("run/deep")
        storage.remove_directory("run/deep/b")
        storage.remove_directory("absent")
        assert storage.read("run/deep/b") == b"2"
        storage.delete("run/deep/b")
        storage.remove_directory("run/deep")
        storage.remove_directory("run")
        assert storage.list_all("") == []

    def test_files_below_are_those_at_any_depth(self, open: Opener) -> None:
        storage = open()
        for path in ("run/a", "run/deep/er/b", "run/.hidden", "runner", "run-2/c"):
            storage.write(path, b"1")
        assert storage.list_files("run") == ["run/.hidden", "run/a", "run/deep/er/b"]
        assert len(storage.list_files("")) == 5
        assert storage.list_files("runner") == ["runner"]
        assert storage.list_files("absent") == []

    def test_occupants_are_all_names_hidden_ones_too(self, open: Opener) -> None:
        storage = open()
        storage.write("run/.hidden", b"1")
        storage.write("run/deep/b", b"2")
        storage.write("file", b"3")
        assert storage.list_all("run") == [".hidden", "deep"]
        assert storage.list_all("file") == ["file"]
        assert storage.list_all("absent") == []

    def test_several_are_read_at_once(self, open: Opener) -> None:
        storage = open()
        storage.write("run/a", b"1")
        storage.write("run/b", b"")
        assert storage.read_all(["run/b", "run/a"]) == [b"", b"1"]
        assert storage.read_present(["run/a", "run/absent", "run/b"]) == {
            "run/a": b"1",
            "run/b": b"",
        }
        assert storage.read_all([]) == []
        with pytest.raises(FileNotFoundError):
            storage.read_all(["run/a", "run/absent"])

    @pytest.mark.parametrize("name", STRANGE_NAMES)
    def test_a_name_is_exact_and_no_pattern(self, open: Opener, name: str) -> None:
        """Beside files that it would match, were it taken for one."""
        storage = open()
        beside = ["run/a", "run/b", "run/re v", "run/re 2", "run/x1", "run/x", "run/{}"]
        for path in beside:
            storage.write(path, b"another's")
        path = f"run/{name}"
        storage.create(path, b"first")
        with pytest.raises(FileExistsError):
            storage.create(path, b"again")
        storage.write(path, b"mine")
        assert storage.read(path) == b"mine"
        assert storage.read_all([path]) == [b"mine"]
        assert storage.list_files("run") == sorted([*beside, path])
        storage.delete(path)
        storage.write(path, b"mine")
        storage.delete_all([path])
        assert storage.list_files("run") == sorted(beside)

    @pytest.mark.parametrize("name", STRANGE_NAMES)
    def test_so_is_the_root(self, open_at: OpenerAt, name: str) -> None:
        mine, beside = open_at(f"above/{name}"), open_at("above")
        theirs = ["re v/run/a", "re 2/run/a", "x1/run/a", "a/run/a", "b/run/a"]
        for path in theirs:
            beside.write(path, b"another's")
        mine.write("run/a", b"mine")
        mine.write("run/deep/b", b"mine")
        assert mine.list("") == ["run"]
        assert mine.list("run") == ["a", "deep"]
        assert mine.read_all(["run/a", "run/deep/b"]) == [b"mine", b"mine"]
        assert mine.list_files("run") == ["run/a", "run/deep/b"]
        mine.delete("run/a")
        mine.delete_all(["run/deep/b", "run/a"])
        assert mine.list_files("") == []
        assert beside.list_files("") == sorted(theirs)

    def test_exclusive_creation_is_proved_and_leaves_nothing(self, open: Opener) -> None:
        open().prove_exclusive("run/proof")
        assert open().list_files("") == []

    def test_prove_leaves_nothing(self, open: Opener) -> None:
        storage = open()
        storage.write("run/a", b"1")
        storage.prove("run/proof")
        assert storage.list("run") == ["a"]


class TestFileStorage(StorageContract):
    @pytest.fixture
    def open(self, tmp_path: pathlib.Path) -> Opener:
        root = tmp_path / "root"
        return lambda: open_storage(Settings.from_env({"HYN_STORAGE_ROOT": str(root)}, "/").storage)

    def test_one_on_which_both_creations_succeed_is_refused(self, tmp_path: pathlib.Path) -> None:
        class Careless(FileStorage):
            def create(self, path: str, data: bytes) -> None:
                self.write(path, data)

        storage = Careless(StorageSettings("file", str(tmp_path)))
        with pytest.raises(StorageError, match="it lacks exclusive creation of files") as caught:
            storage.prove_exclusive("run/proof")
        assert caught.value.lasting
        assert storage.list_files("") == []

    @pytest.fixture
    def open_at(self, tmp_path: pathlib.Path) -> OpenerAt:
        def open_at(root: str) -> Storage:
            environ = {"HYN_STORAGE_ROOT": str(tmp_path / root)}
            return open_storage(Settings.from_env(environ, "/").storage)

        return open_at

    def test_links_are_not_followed(self, open: Opener, tmp_path: pathlib.Path) -> None:
        storage, elsewhere = open(), tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "precious").write_text("mine")
        storage.write("run/a", b"1")
        link = pathlib.Path(storage.rooted("run/link"))
        link.symlink_to(elsewhere)
        assert storage.list_files("run") == ["run/a", "run/link"]
        storage.remove_directory("run/link")
        storage.delete("run/link")
        assert not link.is_symlink()
        assert (elsewhere / "precious").read_text() == "mine"

    def test_rooted_is_the_absolute_path(self, open: Opener, tmp_path: pathlib.Path) -> None:
        assert open().rooted("run/a") == str(tmp_path / "root/run/a")

    @pytest.mark.parametrize("left", ["file", "file-above", "unreadable"])
    def test_what_worked_a_moment_ago_is_away_and_not_wrong(
        self, tmp_path: pathlib.Path, left: str
    ) -> None:
        root = tmp_path / "above/root"
        storage = open_storage(Settings.from_env({"HYN_STORAGE_ROOT": str(root)}, "/").storage)
        storage.prove("token")
        away = root if left == "file" else root.parent
        away.rename(tmp_path / "away")
        if left == "unreadable":
            away.symlink_to("above")  # a loop, which even root cannot follow
        else:
            away.write_text("no directory any more")
        operations: list[Callable[[], object]] = [
            lambda: storage.read("run/a"),
            lambda: storage.write("run/a", b""),
            lambda: storage.create("run/a", b""),
            lambda: storage.list("run"),
            lambda: storage.delete("run/a"),
            lambda: storage.make_directory("run"),
        ]
        for operation in operations:
            with pytest.raises(StorageError) as caught:
                operation()
            assert caught.value.retry
        away.unlink()
        (tmp_path / "away").rename(away)
        storage.write("run/a", b"")

    def test_a_failed_write_leaves_the_old_file_and_nothing_else(
        self, open: Opener, tmp_path: pathlib.Path
    ) -> None:
        storage = open()
        storage.write("run/a", b"old")
        with pytest.raises(TypeError):
            storage.write("run/a", "no bytes")  # type: ignore[arg-type]
        assert storage.read("run/a") == b"old"
        assert [path.name for path in (tmp_path / "root/run").iterdir()] == ["a"]

    @pytest.mark.parametrize("left", ["another directory", "nothing"])
    def test_where_a_mount_is_lost_nothing_is_written_and_nothing_seems_missing(
        self, open: Opener, tmp_path: pathlib.Path, left: str
    ) -> None:
        storage, root, elsewhere = open(), tmp_path / "root", tmp_path / "elsewhere"
        storage.write("run/a", b"mine")
        root.rename(elsewhere)
        if left != "nothing":
            root.mkdir()
        for operation in (
            lambda: storage.write("run/a", b"lost"),
            lambda: storage.create("run/b", b"lost"),
            lambda: storage.read("run/a"),
            lambda: storage.list("run"),
            lambda: storage.delete("run"),
            lambda: storage.make_directory("run"),
        ):
            with pytest.raises(StorageError, match=f"{left} is there now; is it still mounted"):
                operation()
        assert not root.exists() or list(root.iterdir()) == []
        if left != "nothing":
            root.rmdir()
        elsewhere.rename(root)
        assert storage.read("run/a") == b"mine"


class TestS3Storage(StorageContract):
    @pytest.fixture
    def open(self, s3: S3Server) -> Opener:
        root = f"/b-{uuid.uuid4().hex}/prefix"
        ensure_bucket(s3_storage(s3, root))
        return lambda: s3_storage(s3, root)

    @pytest.fixture
    def open_at(self, s3: S3Server) -> OpenerAt:
        bucket = f"/b-{uuid.uuid4().hex}"
        ensure_bucket(s3_storage(s3, bucket))
        return lambda root: s3_storage(s3, f"{bucket}/{root}")

    @pytest.mark.parametrize("refused", [False, True], ids=["ignored", "refused"])
    def test_a_server_without_conditional_writes_is_refused_with_their_name(
        self, s3: S3Server, refused: bool
    ) -> None:
        with without_conditions(s3, refused) as endpoint:
            options = json.dumps({"client_kwargs": {"endpoint_url": endpoint}})
            root = f"/b-{uuid.uuid4().hex}/prefix"
            lacking = s3_storage(s3, root, HYN_STORAGE_OPTIONS=options)
            with pytest.raises(StorageError) as caught:
                open_usable_storage(lacking.settings)
            assert str(caught.value) == (
                f"storage {lacking.url}: it lacks conditional writes (PutObject with "
                "If-None-Match: *), without which two drivers may have one run; use a server that "
                "has them, such as Amazon S3, MinIO or versitygw"
            )
            assert caught.value.lasting
            assert s3_storage(s3, root).list_files("") == []

    def test_a_large_object_is_sent_in_parts(
        self, open: Opener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(s3_module, "_PART_BYTES", 5 * 1024 * 1024)
        array = random.Random(1).randbytes(11 * 1024 * 1024)
        open().write_pieces("run/a", [b"before", memoryview(array), b"after"])
        assert open().read("run/a") == b"before" + array + b"after"

    def test_one_whose_last_part_fails_is_not_there(
        self, open: Opener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(s3_module, "_PART_BYTES", 5 * 1024 * 1024)
        storage = open()
        assert isinstance(storage, S3Storage)
        call, sent = storage._fs.call_s3, []

        def fail_at_the_second(method: str, **names: Any) -> Any:
            sent.append(method)
            if sent.count("upload_part") == 2:
                raise OSError("the network is gone")
            return call(method, **names)

        monkeypatch.setattr(storage._fs, "call_s3", fail_at_the_second)
        with pytest.raises(StorageError):
            storage.write_pieces("run/a", [bytes(6 * 1024 * 1024)])
        assert sent[-1] == "abort_multipart_upload"
        assert open().list_files("") == []
        assert open().size("run/a") == 0

    def test_more_are_deleted_than_a_request_takes(self, open: Opener) -> None:
        storage = open()
        storage.write("run/0", b"1")
        storage.write("run/1024", b"1")
        storage.write("run/beside", b"2")
        storage.delete_all([f"run/{number}" for number in range(1025)])
        assert storage.list_files("run") == ["run/beside"]

    def test_an_object_that_marks_a_directory_is_nothing_in_it(self, open: Opener) -> None:
        storage = open()
        assert isinstance(storage, S3Storage)
        storage._fs.call_s3("put_object", Bucket=storage.rooted("").split("/")[0],
                            Key="prefix/run/")  # fmt: skip
        assert storage.list_all("run") == []
        storage.write("run/a", b"1")
        assert storage.list("run") == ["a"]
        assert storage.list("") == ["run"]

    def test_rooted_has_the_bucket_and_the_prefix(self, open: Opener) -> None:
        storage = open()
        assert storage.rooted("run/a") == f"{storage.settings.root}/run/a"


class TestUnusableFileStorage:
    """On real mounts, so that it holds for root too, whom permissions do not stop."""

    def said(self, options: str, tmp_path: pathlib.Path, size: int = 100) -> str:
        """What a write of ``size`` bytes on a tmpfs mounted with ``options`` raises."""
        root = tmp_path / "mount"
        root.mkdir()
        program = f"""
            from hyn_k8s.search.settings import Settings
            from hyn_k8s.search.opening import open_storage, open_usable_storage
            environ = {{"HYN_STORAGE_ROOT": {str(root)!r}}}
            storage = open_storage(Settings.from_env(environ, "/").storage)
            try:
                storage.write("run/a", b"x" * {size})
            except Exception as error:
                print(type(error).__name__, error)
        """
        script = tmp_path / "write.py"
        script.write_text(textwrap.dedent(program))
        mount = f"mount -t tmpfs -o {options} none {root} && exec {sys.executable} {script}"
        ended = subprocess.run(
            [*MOUNT_NAMESPACE, "sh", "-c", mount], capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    @pytest.mark.processes
    def test_full(self, tmp_path: pathlib.Path) -> None:
        said = self.said("size=64k", tmp_path, size=1_000_000)
        assert said.startswith(f"StorageError storage {tmp_path}/mount: No space left on device")
        assert "free some" in said

    @pytest.mark.processes
    def test_read_only(self, tmp_path: pathlib.Path) -> None:
        said = self.said("ro", tmp_path)
        assert said.startswith(f"StorageError storage {tmp_path}/mount: Read-only file system")
        assert "mount it writable" in said

    def test_a_file_where_the_root_should_be(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "file").write_text("")
        storage = open_storage(
            Settings.from_env({"HYN_STORAGE_ROOT": str(tmp_path / "file/below")}, "/").storage
        )
        with pytest.raises(
            StorageError, match=r"Not a directory \(ENOTDIR\): a part of the path is a file"
        ):
            storage.prove("token")

    def test_a_root_that_cannot_be_made(self) -> None:
        storage = open_storage(Settings.from_env({"HYN_STORAGE_ROOT": "/proc/x"}, "/").storage)
        said = (
            r"storage /proc/x: No such file or directory \(ENOENT\): no directory can be made there"
        )
        operations: list[Callable[[], None]] = [
            lambda: storage.write("run/a", b""),
            lambda: storage.create("run/a", b""),
            lambda: storage.make_directory("run"),
        ]
        for operation in operations:
            with pytest.raises(StorageError, match=said) as caught:
                operation()
            assert not caught.value.retry


class TestUnusableS3:
    def test_wrong_secret_key(self, s3: S3Server) -> None:
        storage = s3_storage(s3, "/bucket", HYN_STORAGE_SECRET_KEY="wrong-secret")
        with pytest.raises(StorageError) as caught:
            ensure_bucket(storage)
        assert "s3://bucket at http://127.0.0.1" in str(caught.value)
        assert "wrong-secret" not in str(caught.value)
        assert "HYN_STORAGE_SECRET_KEY" in str(caught.value)

    def test_unknown_access_key(self, s3: S3Server) -> None:
        storage = s3_storage(s3, "/bucket", HYN_STORAGE_ACCESS_KEY="AKIANOBODY")
        with pytest.raises(StorageError, match="HYN_STORAGE_ACCESS_KEY"):
            ensure_bucket(storage)
        with pytest.raises(StorageError, match="HYN_STORAGE_ACCESS_KEY"):
            storage.write("a", b"1")

    def test_keys_that_were_taken_a_moment_ago_are_no_lasting_error(self, s3: S3Server) -> None:
        storage = s3_storage(s3, "/bucket", HYN_STORAGE_SECRET_KEY="withdrawn")
        storage.is_proved = True
        with pytest.raises(StorageError, match="credentials were rejected") as caught:
            storage.write("run/a", b"")
        assert caught.value.retry

    def test_nobody_at_the_endpoint(self, s3: S3Server) -> None:
        options = f'{{"endpoint_url": "http://127.0.0.1:{free_port()}"}}'
        storage = s3_storage(s3, "/bucket", HYN_STORAGE_OPTIONS=options)
        with pytest.raises(StorageError, match=r"does not answer.*check HYN_STORAGE_OPTIONS"):
            ensure_bucket(storage)

    def test_an_endpoint_that_is_no_url(self, s3: S3Server) -> None:
        storage = s3_storage(s3, "/bucket", HYN_STORAGE_OPTIONS='{"endpoint_url": "minio:9000"}')
        with pytest.raises(StorageError, match="no http:// or https:// URL"):
            ensure_bucket(storage)

    def test_an_option_that_s3fs_does_not_know(self, s3: S3Server) -> None:
        with pytest.raises(StorageError, match=r"s3fs refuses HYN_STORAGE_OPTIONS.*'colour'"):
            s3_storage(s3, "/bucket", HYN_STORAGE_OPTIONS='{"colour": "blue"}').read("a")

    def test_a_user_in_the_endpoint_is_not_shown(self, s3: S3Server) -> None:
        options = '{"endpoint_url": "http://ada:pass@127.0.0.1:9"}'
        storage = s3_storage(s3, "/bucket", HYN_STORAGE_OPTIONS=options)
        assert storage.url == "s3://bucket at http://127.0.0.1:9"


class TestBucket:
    def test_it_is_made_where_it_is_missing_and_left_where_it_is_not(self, s3: S3Server) -> None:
        bucket = f"new-{uuid.uuid4().hex}"
        for _ in range(2):
            ensure_bucket(s3_storage(s3, f"/{bucket}/runs"))
            assert s3.client().bucket_exists(bucket_name=bucket)

    @pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
    def test_it_is_made_in_the_region_of_the_options(self, s3: S3Server, region: str) -> None:
        bucket = f"new-{uuid.uuid4().hex}"
        options = (
            f'{{"client_kwargs": {{"endpoint_url": "{s3.endpoint}", "region_name": "{region}"}}}}'
        )
        storage = s3_storage(s3, f"/{bucket}", HYN_STORAGE_OPTIONS=options)
        ensure_bucket(storage)
        storage.prove("token")
