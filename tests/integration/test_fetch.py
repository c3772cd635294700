"""Fetching: whatever the server does, a group is what was locked, or it is not there."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import ssl
import subprocess
import threading
import zipfile
from typing import TYPE_CHECKING

import pytest

from overflow.runtime import connection, fetch, ready, unpack
from overflow.runtime.connection import Connections, Unreachable
from overflow.runtime.manifest import Group, Wheel
from overflow.runtime.ready import InstallError
from overflow.uv import Uv
from tests.support.wheel_server import Fault, WheelServer
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOISE = random.Random(7).randbytes(900_000)
"""What does not become small: a wheel with it is fetched by its end first."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WheelServer]:
    monkeypatch.setattr(connection, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(connection, "PATIENCE", 5.0)
    with WheelServer() as running:
        yield running


@pytest.fixture
def overflow(tmp_path: Path) -> Path:
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp" / "overflow"


@pytest.fixture(autouse=True)
def nothing_is_left(overflow: Path) -> Iterator[None]:
    before = threading.active_count()
    yield
    assert {path.name for path in overflow.parent.iterdir()} <= {"overflow"}
    assert threading.active_count() <= before + 1  # the server's own


def offered(server: WheelServer, path: Path) -> Wheel:
    data = path.read_bytes()
    server.files[f"/files/{path.name}"] = data
    digest = hashlib.sha256(data).hexdigest()
    return Wheel(url=f"{server.url}/files/{path.name}", sha256=digest, size=len(data))


def wheel(server: WheelServer, folder: Path, name: str, *, large: bool = True) -> Wheel:
    """A wheel that is on the server."""
    files: dict[str, str | bytes] = {f"{name}/__init__.py": name}
    if large:
        files[f"{name}/noise.bin"] = NOISE
    return offered(server, make_wheel(folder, name, files=files, compress=True))


def group(name: str, *wheels: Wheel, size: int = 1_000_000) -> Group:
    return Group(name=name, size=size, sha256=name.encode().hex(), wheels=wheels)


def content_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def fill(overflow: Path, *groups: Group) -> None:
    unpack.fill(str(overflow), groups, "/nowhere")


class TestWhatIsFetched:
    @pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
    def test_groups_of_one_and_of_several(
        self, server: WheelServer, tmp_path: Path, overflow: Path, *, ranges: bool
    ) -> None:
        server.ranges = ranges
        names = ("a", "b", "c", "d")
        a, b, c, d = (wheel(server, tmp_path, n, large=n in ("a", "c")) for n in names)
        groups = [group("0-a", a), group("1-b", b, c._replace(size=0)), group("2-d", d)]
        fill(overflow, *groups)
        assert sorted(path.name for path in overflow.iterdir()) == ["0-a", "1-b", "2-d"]
        for one in groups:
            assert ready.is_marked(str(overflow / one.name), one.sha256)
        assert content_of(overflow / "0-a")["a/noise.bin"] == NOISE
        assert {"b/__init__.py", "c/noise.bin", "c-1.0.dist-info/RECORD"} <= set(
            content_of(overflow / "1-b")
        )

    def test_connections_are_kept_and_no_byte_is_asked_for_twice(
        self,
        server: WheelServer,
        tmp_path: Path,
        overflow: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(fetch, "CONNECTIONS", 1)
        wheels = [wheel(server, tmp_path, name) for name in ("a", "b")]
        fill(overflow, *(group(f"{at}-g", one) for at, one in enumerate(wheels)))
        assert len({one.port for one in server.asked}) == 1
        end, rest = (one.span for one in server.asked[:2])
        size = wheels[1].size
        assert end == f"bytes={size - fetch.SHORTEST_END}-{size - 1}"
        assert rest == f"bytes=0-{size - fetch.SHORTEST_END - 1}"

    def test_a_list_that_is_longer_than_what_was_asked_for(
        self,
        server: WheelServer,
        tmp_path: Path,
        overflow: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(fetch, "SHORTEST_END", 30)
        monkeypatch.setattr(fetch, "END_SHARE", 1 << 40)
        fill(overflow, group("0-a", wheel(server, tmp_path, "a")))
        assert content_of(overflow / "0-a")["a/noise.bin"] == NOISE

    def test_a_file_that_two_wheels_have_is_the_first_ones(
        self, server: WheelServer, tmp_path: Path, overflow: Path
    ) -> None:
        wheels = []
        for name in ("a", "b"):
            files = {"shared/__init__.py": name, f"shared/{name}/x.py": name}
            wheels.append(offered(server, make_wheel(tmp_path, name, files=files)))
        fill(overflow, group("0-a", *wheels))
        found = content_of(overflow / "0-a")
        assert found["shared/__init__.py"] == b"a"
        assert {"shared/a/x.py", "shared/b/x.py"} < found.keys()

    def test_packed_groups_are_unpacked_meanwhile(
        self, server: WheelServer, tmp_path: Path, overflow: Path
    ) -> None:
        """An error of theirs ends the fetching too, and is the one that is told."""
        packed = Group(name="1-b", size=1, sha256="0" * 64)
        with pytest.raises(InstallError, match=r"1-b is not what was built \(it is not there\)"):
            fill(overflow, group("0-a", wheel(server, tmp_path, "a")), packed)

    def test_one_group_later(self, server: WheelServer, tmp_path: Path, overflow: Path) -> None:
        one = group("0-a", wheel(server, tmp_path, "a"))
        overflow.mkdir()
        unpack.place(one, str(overflow / "0-a"), "/nowhere")
        assert content_of(overflow / "0-a")["a/noise.bin"] == NOISE

    def test_what_is_there_already_is_not_fetched(
        self, server: WheelServer, tmp_path: Path, overflow: Path
    ) -> None:
        a, b = (wheel(server, tmp_path, name, large=False) for name in ("a", "b"))
        fill(overflow, group("0-a", a))
        fill(overflow, group("0-a", a), group("1-b", b))
        assert [one.path.rpartition("/")[2][0] for one in server.asked] == ["a", "b"]

    def test_no_room_is_said_before_anything_is_fetched(
        self, server: WheelServer, tmp_path: Path, overflow: Path
    ) -> None:
        with pytest.raises(InstallError, match="ephemeral storage"):
            fill(overflow, group("0-a", wheel(server, tmp_path, "a"), size=1 << 62))
        assert server.asked == []


PASSING = {
    "503": Fault(status=503),
    "429": Fault(status=429),
    "no answer": Fault(silent=True),
    "broken in the middle": Fault(sent=300),
    "broken at once": Fault(sent=0),
    "no range": Fault(no_range=True),
}


class TestWhatGoesWrong:
    @pytest.mark.parametrize("large", [True, False], ids=["large", "small"])
    @pytest.mark.parametrize("kind", PASSING)
    def test_what_passes_is_tried_again(
        self,
        server: WheelServer,
        tmp_path: Path,
        overflow: Path,
        monkeypatch: pytest.MonkeyPatch,
        kind: str,
        *,
        large: bool,
    ) -> None:
        monkeypatch.setattr(connection, "PATIENCE", 0.2)
        one = wheel(server, tmp_path, "a", large=large)
        path = one.url.removeprefix(server.url)
        often = 1 if PASSING[kind].silent else 2
        server.faults[path] = [PASSING[kind], Fault(), *[PASSING[kind]] * often]
        fill(overflow, group("0-a", one))
        assert content_of(overflow / "0-a")["a/__init__.py"] == b"a"

    @pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
    def test_a_broken_download_goes_on_where_it_broke(
        self, server: WheelServer, tmp_path: Path, overflow: Path, *, ranges: bool
    ) -> None:
        """More often than a file may fail: each try brought something."""
        server.ranges = ranges
        one = wheel(server, tmp_path, "a")
        path = one.url.removeprefix(server.url)
        parts = (
            [100_000, 250_000, 70_000, 50_000] if ranges else [10_000, 120_000, 300_000, 700_000]
        )
        server.faults[path] = [Fault(), *(Fault(sent=sent) for sent in parts)]
        fill(overflow, group("0-a", one))
        assert content_of(overflow / "0-a")["a/noise.bin"] == NOISE
        if ranges:
            starts = [int((asked.span or "")[6:].partition("-")[0]) for asked in server.asked[1:]]
            assert starts == sorted(set(starts))

    @pytest.mark.parametrize(
        ("fault", "said"),
        [
            (Fault(status=503), "3 tries, the last one: status 503"),
            (Fault(status=404), ": status 404"),
            (Fault(status=403), ": status 403"),
            (Fault(sent=0), "3 tries, the last one: the connection was closed early"),
            (
                Fault(sent=0, no_length=True),
                "3 tries, the last one: the connection was closed early",
            ),
            (
                Fault(silent=True),
                ": timed out (a VPC needs a way to the index: a NAT gateway, say)",
            ),
        ],
        ids=["503", "404", "403", "broken", "broken without length", "silent"],
    )
    def test_what_stays_is_one_line(
        self,
        server: WheelServer,
        tmp_path: Path,
        overflow: Path,
        monkeypatch: pytest.MonkeyPatch,
        fault: Fault,
        said: str,
    ) -> None:
        monkeypatch.setattr(connection, "PATIENCE", 0.2)
        one = wheel(server, tmp_path, "a", large=False)
        server.faults[one.url.removeprefix(server.url)] = [fault] * 9
        with pytest.raises(InstallError) as raised:
            fill(overflow, group("0-a", one))
        message = str(raised.value)
        assert message.startswith("a-1.0-py3-none-any.whl could not be fetched from localhost:")
        assert message.endswith(said)
        assert "\n" not in message
        assert list(overflow.iterdir()) == []

    @pytest.mark.parametrize("status", [404, 405, 416, 501])
    def test_where_a_part_is_refused_the_whole_is_fetched(
        self, server: WheelServer, tmp_path: Path, overflow: Path, status: int
    ) -> None:
        one = wheel(server, tmp_path, "a")
        server.faults[one.url.removeprefix(server.url)] = [Fault(status=status)]
        fill(overflow, group("0-a", one))
        assert content_of(overflow / "0-a")["a/noise.bin"] == NOISE
        assert [asked.span is None for asked in server.asked] == [False, True]

    def test_an_answer_without_its_length(
        self, server: WheelServer, tmp_path: Path, overflow: Path
    ) -> None:
        server.ranges = False
        one = wheel(server, tmp_path, "a")
        path = one.url.removeprefix(server.url)
        server.faults[path] = [Fault(no_length=True), Fault(no_length=True, sent=500_000)]
        fill(overflow, group("0-a", one))
        assert content_of(overflow / "0-a")["a/noise.bin"] == NOISE

    def test_all_addresses_of_a_host_share_one_patience(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of those nobody has a way to, the fourth would be tried when the init is dead."""
        asked: list[float] = []

        def refuse(_: object, patience: float) -> None:
            asked.append(patience)
            raise TimeoutError("timed out")

        monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [None] * 4)
        monkeypatch.setattr("socket.create_connection", refuse)
        monkeypatch.setattr(connection, "PATIENCE", 2.0)
        with pytest.raises(Unreachable, match=r"2 tries, the last one: timed out \(a VPC"):
            list(Connections(None).pieces("http://example.com/a"))
        assert asked == [0.5, 0.5]

    def test_nobody_there(self, server: WheelServer, tmp_path: Path, overflow: Path) -> None:
        one = wheel(server, tmp_path, "a")
        with WheelServer() as gone:
            url = gone.url
        with pytest.raises(InstallError, match=r"3 tries, the last one: .*refused"):
            fill(overflow, group("0-a", one._replace(url=f"{url}/a-1.0-py3-none-any.whl")))

    @pytest.mark.parametrize("large", [True, False], ids=["large", "small"])
    def test_another_file_is_refused(
        self, server: WheelServer, tmp_path: Path, overflow: Path, *, large: bool
    ) -> None:
        one = wheel(server, tmp_path, "a", large=large)
        with pytest.raises(InstallError, match=r"a-1.0.*whl is not the locked one \(its sha256"):
            fill(overflow, group("0-a", one._replace(sha256="0" * 64)))
        assert list(overflow.iterdir()) == []

    def test_a_longer_file_is_not_read_to_its_end(
        self, server: WheelServer, tmp_path: Path, overflow: Path
    ) -> None:
        server.ranges = False
        one = wheel(server, tmp_path, "a")
        with pytest.raises(InstallError, match=r"not the locked one \(it has more than 300000"):
            fill(overflow, group("0-a", one._replace(size=300_000)))

    def test_what_is_no_wheel_is_refused(
        self, server: WheelServer, tmp_path: Path, overflow: Path
    ) -> None:
        one = wheel(server, tmp_path, "a", large=False)
        server.files[one.url.removeprefix(server.url)] = b"<html>"
        with pytest.raises(InstallError, match=r"not the locked one \(File is not a zip file"):
            fill(overflow, group("0-a", one))

    def test_paths_that_lead_out_are_refused(
        self, server: WheelServer, tmp_path: Path, overflow: Path
    ) -> None:
        path = tmp_path / "a-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("../../out.py", "x")
        with pytest.raises(InstallError, match="leads out of it"):
            fill(overflow, group("0-a", offered(server, path)))
        assert not list(tmp_path.rglob("out.py"))

    def test_the_others_stop_where_one_fails(
        self, server: WheelServer, tmp_path: Path, overflow: Path
    ) -> None:
        """What was whole by then stays, and is not fetched again."""
        wheels = [wheel(server, tmp_path, f"n{at}", large=False) for at in range(30)]
        groups = [group(f"{at}-g", one) for at, one in enumerate(wheels)]
        bad = group("99-bad", wheel(server, tmp_path, "bad")._replace(sha256="0" * 64))
        with pytest.raises(InstallError, match=r"bad-1\.0"):
            fill(overflow, *groups, bad)
        there = {path.name for path in overflow.iterdir()}
        before = len(server.asked)
        fill(overflow, *groups)
        assert len(server.asked) - before == len(groups) - len(there)

    def test_a_download_ends_once_another_has_failed(
        self, server: WheelServer, tmp_path: Path, overflow: Path
    ) -> None:
        """Or where what is done meanwhile has: within the next 64 KiB."""
        made = fetch.Fetching([], folder=str(overflow), work=str(tmp_path))
        chunks = made._checked(iter([b"1", b"2", b"3"]), 0)
        assert next(chunks) == b"1"
        with pytest.raises(KeyError), made:
            raise KeyError
        with pytest.raises(KeyError):
            next(chunks)


class TestRedirects:
    def test_followed(self, server: WheelServer, tmp_path: Path, overflow: Path) -> None:
        one = wheel(server, tmp_path, "a")
        path = one.url.removeprefix(server.url)
        server.faults["/moved"] = [Fault(status=302, location=path)] * 9
        fill(overflow, group("0-a", one._replace(url=f"{server.url}/moved")))
        assert content_of(overflow / "0-a")["a/noise.bin"] == NOISE

    @pytest.mark.parametrize(
        ("location", "said"),
        [
            ("/moved", "too many redirects"),
            ("file:///etc/passwd", "a redirect away from https"),
            ("", "too many redirects"),
            ("http://[::1/x", "redirect"),
        ],
    )
    def test_not_everywhere(
        self, server: WheelServer, overflow: Path, location: str, said: str
    ) -> None:
        server.faults["/moved"] = [Fault(status=301, location=location)] * 9
        one = Wheel(url=f"{server.url}/moved", sha256="0" * 64, size=9)
        with pytest.raises(InstallError, match=said):
            fill(overflow, group("0-a", one))


class TestTls:
    @pytest.fixture
    def secure(self, tmp_path: Path) -> Iterator[WheelServer]:
        """A server whose certificate nobody trusts yet."""
        key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
        openssl = shutil.which("openssl")
        assert openssl
        subprocess.run(
            [
                *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
                *("-keyout", key, "-out", certificate),
            ],
            check=True,
            capture_output=True,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with WheelServer(context) as running:
            yield running

    def test_the_certificate_is_checked_and_no_try_is_made_again(
        self, secure: WheelServer, tmp_path: Path, overflow: Path
    ) -> None:
        one = wheel(secure, tmp_path, "a")
        with pytest.raises(
            InstallError, match=r"could not be fetched from localhost.*certificate verify"
        ):
            fill(overflow, group("0-a", one))
        assert secure.asked == []

    def test_certificates_of_the_machine_are_trusted(
        self,
        secure: WheelServer,
        tmp_path: Path,
        overflow: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        fill(overflow, group("0-a", wheel(secure, tmp_path, "a")))
        assert content_of(overflow / "0-a")["a/noise.bin"] == NOISE

    def test_no_redirect_leads_away_from_it(
        self,
        secure: WheelServer,
        server: WheelServer,
        tmp_path: Path,
        overflow: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        one = wheel(server, tmp_path, "a", large=False)
        secure.faults["/moved"] = [Fault(status=302, location=one.url)]
        with pytest.raises(InstallError, match="a redirect away from https"):
            fill(overflow, group("0-a", one._replace(url=f"{secure.url}/moved")))
        assert server.asked == []


def test_urls_that_are_none() -> None:
    for url in ("http://localhost:port/a", "https://[::1/a", "http://localhost:1/\n"):
        with pytest.raises(Unreachable):
            list(Connections(None).pieces(url))


def test_as_uv_installs_it(server: WheelServer, tmp_path: Path, overflow: Path) -> None:
    """The same files with the same bits, less scripts, and what uv notes of itself."""
    files = {
        "alpha/__init__.py": "",
        "alpha/run.sh": "#!/bin/sh\n",
        "alpha-1.0.data/purelib/pure.py": "1",
        "alpha-1.0.data/platlib/plat/x.py": "2",
        "alpha-1.0.data/scripts/tool": "#!python\n",
        "alpha-1.0.data/data/share/x": "3",
        "alpha.pth": "import sys\n",
    }
    path = make_wheel(tmp_path, "alpha", files=files, compress=True)
    made_executable(path, "alpha/run.sh")
    target = tmp_path / "target"
    uv = Uv.bundled(os.environ).binary
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--no-deps", "--offline", "--target", target, path],
        check=True,
        env={**os.environ, "UV_CACHE_DIR": str(tmp_path / "cache")},
    )
    fill(overflow, group("0-alpha", offered(server, path)))
    own = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}
    assert listing(overflow / "0-alpha", own) == listing(target, own)


def made_executable(path: Path, name: str) -> None:
    """Set a bit that make_wheel does not set."""
    with zipfile.ZipFile(path) as archive:
        entries = [(info, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w") as archive:
        for info, data in entries:
            if info.filename == name:
                info.external_attr = 0o100755 << 16
            archive.writestr(info, data)


def listing(folder: Path, without: set[str]) -> dict[str, tuple[bytes, int]]:
    """Contents and modes below a folder, scripts and data of an environment left out."""
    return {
        path: (data, (folder / path).stat().st_mode & 0o111)
        for path, data in content_of(folder).items()
        if path.partition("/")[0] not in {"bin", "share", ".lock", ready.MARKER}
        and path.rpartition("/")[2] not in without
    }
