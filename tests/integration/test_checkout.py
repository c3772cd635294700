"""Checkout: copies of real repositories, and what of them a build must not get to read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from overflow.checkout import check_out, copy_workspace, harmless_config
from overflow.errors import InputFault
from tests.support.workspace import GIT, commit, git, snapshot

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "ghs_planted0Token1In2Config"

CREDENTIALS = f"""
[http "https://github.com/"]
\textraheader = AUTHORIZATION: basic {TOKEN}
[remote "origin"]
\turl = https://x-access-token:{TOKEN}@github.com/octo/project
\tfetch = +refs/heads/*:refs/remotes/origin/*
[url "https://{TOKEN}@github.com/"]
\tinsteadOf = https://github.com/
[include]
\tpath = {TOKEN}.config
[includeIf "gitdir:/w/.git"]
\tpath = /temp/{TOKEN}.config
[credential]
\thelper = "!echo {TOKEN}"
[CORE]
\tsshCommand = ssh -i {TOKEN}
\tfsmonitor = echo {TOKEN}
\thooksPath = {TOKEN}
[core] pager = {TOKEN}
[filter "lfs"]
\tsmudge = echo {TOKEN}
[alias]
\tstatus = "!echo {TOKEN}"
"""


def plant(git_folder: Path) -> None:
    """Put the token wherever a checkout, or a careless step, leaves one."""
    with (git_folder / "config").open("a") as stream:
        stream.write(CREDENTIALS)
    (git_folder / "config.worktree").write_text(CREDENTIALS)
    (git_folder / "hooks").mkdir(exist_ok=True)
    hook = git_folder / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\necho {TOKEN}\n")
    hook.chmod(0o755)
    (git_folder / "credentials").write_text(f"https://{TOKEN}@github.com\n")
    (git_folder / "logs" / "planted").write_text(f"clone: from https://{TOKEN}@github.com/\n")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A repository with a submodule, and a second one below it; the token is everywhere."""
    library = tmp_path / "library"
    library.mkdir()
    (library / "lib.py").write_text("x = 1\n")
    commit(library)
    git(library, "branch", "config")  # a file of this name in refs/heads
    root = tmp_path / "work space"
    (root / "src").mkdir(parents=True)
    (root / "src" / "run.sh").write_text("#!/bin/sh\n")
    (root / "src" / "run.sh").chmod(0o755)
    (root / "link").symlink_to("src/run.sh")
    (root / "outside").symlink_to("../library/lib.py")
    (root / ".gitignore").write_text("gha-creds-*.json\n/second/\n")
    commit(root)
    git(root, "submodule", "--quiet", "add", str(library), "libs/lib")
    git(root / "libs" / "lib", "fetch", "--quiet", "origin", "config:config")
    commit(root, "with a submodule")
    git(root, "tag", "v1.0")
    (root / "second").mkdir()
    (root / "second" / "file").write_text("x\n")
    commit(root / "second")
    (root / "gha-creds-0123.json").write_text(TOKEN)
    for folder in (".git", "second/.git", ".git/modules/libs/lib"):
        plant(root / folder)
    return root


def copied(workspace: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "box" / "workspace"
    copy_workspace(workspace, copy)
    return copy


def test_no_credential_is_in_the_copy(workspace: Path, tmp_path: Path) -> None:
    copy = copied(workspace, tmp_path)
    with_token = [
        str(path.relative_to(copy))
        for path in copy.rglob("*")
        if path.is_file() and not path.is_symlink() and TOKEN.encode() in path.read_bytes()
    ]
    assert with_token == []
    assert not (copy / "gha-creds-0123.json").exists()
    assert not [path for path in copy.rglob("*") if TOKEN in path.name]


def test_git_works_on_the_copy(workspace: Path, tmp_path: Path) -> None:
    """Versions come from tags: build back ends ask git."""
    copy = copied(workspace, tmp_path)
    assert git(copy, "status", "--porcelain") == ""
    assert git(copy, "describe", "--tags", "--dirty") == "v1.0"
    assert git(copy, "ls-files").splitlines()[0] == ".gitignore"
    assert git(copy / "second", "log", "--format=%s") == "a change"
    assert git(copy / "libs" / "lib", "status", "--porcelain") == ""
    assert len(git(copy / "libs" / "lib", "rev-parse", "config")) == 40


def test_copy_is_as_the_workspace_is(workspace: Path, tmp_path: Path) -> None:
    before = snapshot(workspace)
    copy = copied(workspace, tmp_path)
    assert (copy / "link").readlink().as_posix() == "src/run.sh"
    assert (copy / "outside").readlink().as_posix() == "../library/lib.py"
    after = {name: one for name, one in snapshot(copy).items() if ".git/" not in name}
    kept = {name: one for name, one in before.items() if ".git/" not in name}
    del kept["gha-creds-0123.json"]
    assert after.keys() == kept.keys()
    files = {name for name in kept if not (workspace / name).is_dir()}
    assert {name: after[name] for name in files} == {name: kept[name] for name in files}
    assert snapshot(workspace) == before


def test_change_in_the_copy_changes_nothing_else(workspace: Path, tmp_path: Path) -> None:
    copy = copied(workspace, tmp_path)
    before = snapshot(workspace)
    (copy / "src" / "run.sh").write_text("changed")
    (copy / ".git" / "index").write_bytes(b"")
    assert snapshot(workspace) == before


def test_workspace_without_a_repository(tmp_path: Path) -> None:
    (tmp_path / "w" / "a").mkdir(parents=True)
    (tmp_path / "w" / "a" / "b").write_text("x")
    (tmp_path / "w" / ".git").symlink_to("/nowhere")
    assert (copied(tmp_path / "w", tmp_path) / "a" / "b").read_text() == "x"


@pytest.mark.parametrize("link", [".git", ".git/config", ".git/modules", ".git/hooks"])
def test_links_are_not_written_through(workspace: Path, tmp_path: Path, link: str) -> None:
    """A repository may be elsewhere: what is not in the copy stays as it is."""
    elsewhere = tmp_path / "elsewhere"
    (workspace / link).rename(elsewhere)
    (workspace / link).symlink_to(elsewhere)
    before = snapshot(elsewhere) if elsewhere.is_dir() else elsewhere.read_bytes()
    copied(workspace, tmp_path)
    assert (snapshot(elsewhere) if elsewhere.is_dir() else elsewhere.read_bytes()) == before


def test_workspace_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputFault) as raised:
        copied(tmp_path / "gone", tmp_path)
    assert raised.value.code == "workspace-unreadable"
    assert "gone" in raised.value.details


@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_configuration_keeps_what_the_format_needs(tmp_path: Path, form: str) -> None:
    git(tmp_path, "init", "--quiet", f"--object-format={form}")
    text = (tmp_path / ".git" / "config").read_text()
    kept = harmless_config(text + CREDENTIALS)
    assert TOKEN not in kept
    assert "repositoryformatversion" in kept
    (tmp_path / ".git" / "config").write_text(kept)
    assert git(tmp_path, "rev-parse", "--show-object-format") == form


def test_line_that_goes_on_is_not_kept() -> None:
    """The next line would become part of its value."""
    text = f"[core]\n\tfilemode = true\n\tworktree = a\\\n\tbare = {TOKEN}\\\n\tpager = x\n"
    assert harmless_config(text) == "[core]\n\tfilemode = true\n"


@pytest.fixture
def history(tmp_path: Path) -> tuple[Path, str, str]:
    """A repository, and its first and its last commit."""
    root = tmp_path / "origin"
    root.mkdir()
    (root / "file").write_text("first\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("file")
    first = commit(root)
    (root / "file").write_text("last\n")
    (root / "new").write_text("x\n")
    return root, first, commit(root)


def environ(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], **GIT, **more}


def test_commit_that_is_here(history: tuple[Path, str, str], tmp_path: Path) -> None:
    root, first, _ = history
    (root / "new").write_text("changed, and in the index\n")
    git(root, "add", "new")
    (root / "file").write_text("changed\n")
    before = snapshot(root)
    copy = tmp_path / "box" / "base"
    assert check_out(root, first, copy, environ())
    assert {path.name for path in copy.iterdir()} == {"file", "run.sh", "link"}
    assert (copy / "file").read_text() == "first\n"
    assert (copy / "run.sh").stat().st_mode & 0o100
    assert (copy / "link").readlink().as_posix() == "file"
    assert snapshot(root) == before, "the job's own checkout, its index too, is as it was"


def test_folder_that_is_there_already(history: tuple[Path, str, str], tmp_path: Path) -> None:
    root, first, _ = history
    (tmp_path / "base").mkdir()
    assert check_out(root, first, tmp_path / "base", environ())
    assert (tmp_path / "base" / "file").read_text() == "first\n"


def test_commit_that_a_shallow_checkout_has_to_fetch(
    history: tuple[Path, str, str], tmp_path: Path
) -> None:
    root, first, last = history
    remote, shallow = tmp_path / "remote.git", tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--bare", str(root), str(remote))
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{remote}", str(shallow))
    assert git(shallow, "rev-list", "--all") == last
    allowed = environ(GIT_ALLOW_PROTOCOL="file")
    assert check_out(shallow, first, tmp_path / "base", allowed)
    assert (tmp_path / "base" / "file").read_text() == "first\n"
    assert git(shallow, "status", "--porcelain") == ""
    assert git(shallow, "rev-parse", "HEAD") == last
    assert git(shallow, "tag") == ""


@pytest.mark.parametrize("remote", [None, "gone"])
def test_commit_that_nobody_has(
    history: tuple[Path, str, str], tmp_path: Path, remote: str | None
) -> None:
    root = history[0]
    if remote:
        git(root, "remote", "add", "origin", f"file://{tmp_path}/{remote}")
    assert not check_out(root, "0" * 40, tmp_path / "base", environ())


def test_object_that_is_no_commit(history: tuple[Path, str, str], tmp_path: Path) -> None:
    root = history[0]
    blob = git(root, "rev-parse", "HEAD:file")
    assert not check_out(root, blob, tmp_path / "base", environ())


@pytest.mark.parametrize("path", ["/nowhere", ""])
def test_machine_without_git(history: tuple[Path, str, str], tmp_path: Path, path: str) -> None:
    root, first, _ = history
    assert not check_out(root, first, tmp_path / "base", environ(PATH=path or str(tmp_path)))


def test_workspace_without_git(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    ceiling = environ(GIT_CEILING_DIRECTORIES=str(tmp_path))
    assert not check_out(tmp_path / "w", "0" * 40, tmp_path / "base", ceiling)


def test_repository_of_another_user(history: tuple[Path, str, str], tmp_path: Path) -> None:
    """As in a job's container: git calls that dubious. (The variable is of git's own tests.)"""
    root, first, _ = history
    foreign = environ(GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
    assert check_out(root, first, tmp_path / "base", foreign)


def test_attributes_and_filters(tmp_path: Path) -> None:
    """Line ends and filters are as in a checkout; large files stay where they are."""
    root = tmp_path / "w"
    root.mkdir()
    git(root, "init", "--quiet")
    git(root, "config", "filter.lfs.smudge", 'echo "skip=$GIT_LFS_SKIP_SMUDGE"')
    git(root, "config", "filter.lfs.clean", "cat")
    (root / ".gitattributes").write_text("*.bat text eol=crlf\n*.bin filter=lfs\n")
    (root / "a.bat").write_text("x\n")
    (root / "a.bin").write_text("pointer\n")
    sha = commit(root)
    assert check_out(root, sha, tmp_path / "base", environ())
    assert (tmp_path / "base" / "a.bat").read_bytes() == b"x\r\n"
    assert (tmp_path / "base" / "a.bin").read_text() == "skip=1\n"


def test_filter_that_cannot_be_run(tmp_path: Path) -> None:
    """Half a checkout is none."""
    root = tmp_path / "w"
    root.mkdir()
    (root / ".gitattributes").write_text("*.bin filter=own\n")
    (root / "a.bin").write_text("x\n")
    sha = commit(root)
    git(root, "config", "filter.own.smudge", "false")
    git(root, "config", "filter.own.required", "true")
    assert not check_out(root, sha, tmp_path / "base", environ())


def test_git_does_not_see_tokens(history: tuple[Path, str, str], tmp_path: Path) -> None:
    root, first, _ = history
    git(root, "config", "filter.spy.smudge", f"env > '{tmp_path}/seen'; cat")
    (root / ".git" / "info" / "attributes").write_text("* filter=spy\n")
    tokens = {"GITHUB_TOKEN": TOKEN, "OVERFLOW_TOKEN": TOKEN, "ACTIONS_RUNTIME_TOKEN": TOKEN}
    assert check_out(root, first, tmp_path / "base", environ(**tokens))
    seen = (tmp_path / "seen").read_text()
    assert TOKEN not in seen
    assert "GIT_TERMINAL_PROMPT=0\n" in seen, "nobody is there to answer"
