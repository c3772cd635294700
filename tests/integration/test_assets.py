"""A file on a release: streamed, once, and never in another's place."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from overflow.assets import BLOCK, Attached, attach
from overflow.rest import Call, Rest, RestFault
from tests.support.github_api import READING, GitHubApi, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAG = "v1.0.0"
CONTENT = b"PK" * 1000


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubApi]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with GitHubApi() as server:
        server.add_release(TAG)
        yield server
    assert server.faults == []


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "function.zip"
    path.write_bytes(CONTENT)
    return path


def put(api: GitHubApi, file: Path, *, tag: str = TAG, **settings: Any) -> Attached:
    rest = Rest(api.url, api.token, sleep=lambda _: None, **settings)
    return attach(rest, api.repository, tag=tag, path=file)


def refusal(api: GitHubApi, file: Path, **settings: Any) -> RestFault:
    with pytest.raises(RestFault) as caught:
        put(api, file, **settings)
    return caught.value


def assets(api: GitHubApi) -> list[tuple[str, int, str]]:
    found = api.releases[TAG]["assets"]
    return [(asset["name"], asset["size"], asset["digest"]) for asset in found]


DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
WHOLE = [("function.zip", len(CONTENT), DIGEST)]


def test_is_attached_once(api: GitHubApi, file: Path) -> None:
    first = put(api, file)
    url = "https://github.example/v1.0.0/function.zip"
    assert first == Attached(action="attached", name="function.zip", url=url)
    assert put(api, file) == Attached(action="unchanged", name="function.zip", url=url)
    assert assets(api) == WHOLE
    sent = [seen for seen in api.requests if seen.method == "POST"]
    assert [seen.body for seen in sent] == [CONTENT]
    assert sent[0].headers["content-type"] == "application/zip"


def test_enterprise_server_has_its_own_upload_path(file: Path) -> None:
    with GitHubApi(prefix="/api/v3") as api:
        api.add_release(TAG)
        put(api, file)
        assert assets(api) == WHOLE
        assert api.requests[-1].path.startswith("/api/uploads/repos/octo/project/releases/")
        assert api.faults == []


def test_tag_with_hostile_characters(api: GitHubApi, file: Path) -> None:
    api.add_release("app/v1?x=#`$(y)`%0A")
    assert put(api, file, tag="app/v1?x=#`$(y)`%0A").action == "attached"


def test_is_read_in_blocks(api: GitHubApi, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_bytes(b"x" * (BLOCK + 1))
    blocks: list[int] = []
    carry_out = Rest.carry_out

    def watched(self: Rest, call: Call) -> Any:
        if callable(call.data):
            blocks.extend(len(block) for block in call.data())
        return carry_out(self, call)

    monkeypatch.setattr(Rest, "carry_out", watched)
    put(api, file)
    assert blocks == [BLOCK, 1]


def test_other_file_of_the_name_stays(api: GitHubApi, file: Path) -> None:
    api.add_asset(TAG, "function.zip", b"other")
    fault = refusal(api, file)
    assert fault.kind == "invalid"
    assert "delete that asset" in fault.message
    assert len(assets(api)) == 1


@pytest.mark.parametrize("changes", [{"digest": None}, {"state": "open"}])
def test_file_that_cannot_be_told_to_be_ours_stays(
    api: GitHubApi, file: Path, changes: dict[str, Any]
) -> None:
    api.add_asset(TAG, "function.zip", CONTENT, **changes)
    assert "another function.zip" in refusal(api, file).message


def test_name_is_found_on_a_later_page(api: GitHubApi, file: Path) -> None:
    for number in range(120):
        api.add_asset(TAG, f"{number}.zip", b"")
    api.add_asset(TAG, "function.zip", CONTENT)
    assert put(api, file).action == "unchanged"


def test_immutable_release_says_what_to_do(api: GitHubApi, file: Path) -> None:
    api.add_release("v2", immutable=True)
    assert "draft" in refusal(api, file, tag="v2").message


def test_release_that_is_not_there(api: GitHubApi, file: Path) -> None:
    assert refusal(api, file, tag="v3").kind == "not-found"


def test_token_that_may_not(api: GitHubApi, file: Path) -> None:
    api.permissions = READING
    assert refusal(api, file).kind == "forbidden"
    assert assets(api) == []


@pytest.mark.parametrize("name", ["a b.zip", ".zip", "zip.", "ü.zip", "a\n::error::b"])
def test_name_that_github_would_change(api: GitHubApi, file: Path, name: str) -> None:
    path = file.rename(file.parent / name)
    assert "rename" in refusal(api, path).message
    assert api.requests == []


@pytest.mark.parametrize("trouble", [{"reset": True}, {"status": 500}, {"slow": 0.6}])
def test_upload_without_an_answer_is_looked_for(
    api: GitHubApi, file: Path, trouble: dict[str, Any]
) -> None:
    api.troubles.append(Trouble(method="POST", carried_out=True, **trouble))
    assert put(api, file, timeout=0.05).action == "attached"
    assert assets(api) == WHOLE


def test_upload_that_failed_is_said_to_have_failed(api: GitHubApi, file: Path) -> None:
    api.troubles.append(Trouble(method="POST", status=500))
    assert refusal(api, file).kind == "server"


def test_upload_starts_anew_after_a_rate_limit(api: GitHubApi, file: Path) -> None:
    api.troubles.append(Trouble(method="POST", status=429, headers={"Retry-After": "5"}))
    assert put(api, file).action == "attached"
    assert assets(api) == WHOLE


def test_file_that_arrives_otherwise_is_a_fault(
    api: GitHubApi, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = api.add_asset
    monkeypatch.setattr(
        api, "add_asset", lambda tag, name, content: original(tag, name, content + b"!")
    )
    assert "digest" in refusal(api, file).message


@pytest.mark.parametrize("template", ["http://uploads.example/x{?name,label}", "file:///x", "x"])
def test_upload_address_without_https_gets_nothing(
    api: GitHubApi, file: Path, template: str
) -> None:
    api.releases[TAG]["upload_url"] = template
    assert refusal(api, file).kind == "invalid"


def test_release_without_an_upload_address(api: GitHubApi, file: Path) -> None:
    api.releases[TAG]["upload_url"] = None
    assert "no upload_url" in refusal(api, file).message
    api.faults.clear()  # GitHub's description has no such release


def test_upload_that_takes_too_long(
    api: GitHubApi, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overflow.assets.SECONDS", -1.0)
    assert "too slow" in refusal(api, file).message
    assert assets(api) == []


def test_https_api_does_not_send_the_file_to_plain_loopback() -> None:
    call = Call(method="POST", url="http://127.0.0.1:9/x", data=b"x")
    with pytest.raises(RestFault, match="not over https"):
        Rest("https://api.github.com", "token").carry_out(call)
