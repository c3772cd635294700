"""Isolation: a program that becomes another one, which sees a bundle as Lambda would show it.

Its one argument is a file of JSON (proving.py makes it). In namespaces of its own the bundle is at
/var/task and read-only, /tmp is empty and of one size, and there is no network; where the kernel
refuses that, it says so and starts nothing. recorder.py takes parts of it. Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
"""Of linux/sched.h; Python has them from 3.12 on."""

MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 1 << 12, 1 << 14, 1 << 18
"""Of linux/mount.h."""

MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1
"""A call of Linux 5.12 and later that no library has yet; its number is that of all machines."""

TASK, TMP = "/var/task", "/tmp"

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostby", "socket.sendto")
CHANGES = frozenset(
    "os.mkdir os.rename os.remove os.rmdir os.link os.symlink os.truncate os.chmod os.chown"
    " os.utime".split()
)
"""Audit events (Python's documentation has their table)."""


def guard(is_read_only: Callable[[str], bool]) -> Callable[[str, tuple[Any, ...]], None]:
    """An audit hook without network, and without changes where it says; full paths are asked."""

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(NETWORK):
            raise OSError(errno.ENETUNREACH, "there is no network while the start is tried")
        if event == "open":
            _, _, flags = arguments
            changed = arguments[:1] if isinstance(flags, int) and flags & WRITES else ()
        else:
            changed = arguments[:2] if event in CHANGES else ()
        for path in changed:
            if isinstance(path, (str, bytes)) and is_read_only(_full(os.fsdecode(path))):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    return refuse


def _full(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - pathlib would be imported with the app


def take_one_processor() -> None:
    """Lambda has one at start-up."""
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def cut_off_network() -> None:
    """A network namespace of our own where the kernel lets us; the guard is there in any case."""
    with contextlib.suppress(OSError):
        enter(CLONE_NEWNET)


def enter(namespaces: int) -> None:
    """Enter namespaces of our own; in a user namespace if need be, as the same user. OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(namespaces) == 0:
        return
    if libc.unshare(CLONE_NEWUSER | namespaces) != 0:
        raise _error("unshare")
    maps = {"setgroups": "deny", "uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"}
    for name, text in maps.items():
        with contextlib.suppress(OSError), open(f"/proc/self/{name}", "w") as stream:  # noqa: PTH123 - no pathlib here
            stream.write(text)


def show(bundle: str, *, tmp_bytes: int) -> None:
    """Mount the bundle at TASK and an empty TMP; all else is read-only. Raises OSError.

    The current folder leads to the bundle, also where something is mounted over its path.
    """
    os.chdir(bundle)
    _mount("none", "/", "", MS_REC | MS_PRIVATE)
    if not os.path.isdir(TASK):  # noqa: PTH112 - no pathlib here
        _mount("none", "/var", "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=755")
        os.mkdir(TASK)  # noqa: PTH102 - the same
    _mount(".", TASK, "", MS_BIND)
    _make_read_only()
    options = f"size={max(1, tmp_bytes)},mode=1777"  # 0 would be without a limit
    _mount("none", TMP, "tmpfs", MS_NOSUID | MS_NODEV, options)
    os.chdir(TASK)


def _make_read_only() -> None:
    """Every file system, as Lambda's are."""
    libc = ctypes.CDLL(None, use_errno=True)
    attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_RDONLY, 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    call, where, how = (ctypes.c_long(one) for one in (MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE))
    if libc.syscall(call, where, b"/", how, ctypes.byref(attributes), size) != 0:
        raise _error("mount_setattr")


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    texts = [text.encode() or None for text in (source, target, kind)]
    if libc.mount(*texts, ctypes.c_ulong(flags), options.encode() or None) != 0:
        raise _error(f"mount {target}")


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")


def _check_python() -> None:
    """It would not find its own files below what is mounted over."""
    hidden = (f"{TMP}/",) if os.path.isdir(TASK) else (f"{TMP}/", "/var/")  # noqa: PTH112 - the same
    for path in (sys.executable, os.__file__):
        real = os.path.realpath(path)
        if real.startswith(hidden):
            raise OSError(errno.ENOTSUP, f"Python itself is in {real}")


def main(wanted: str) -> None:
    """Become the program that a file describes; or say there why not."""
    with open(wanted, encoding="utf-8") as stream:  # noqa: PTH123 - the same
        content = json.load(stream)
    output = os.open(content["output"], os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    take_one_processor()
    if content["isolated"]:
        try:
            _check_python()
            enter(CLONE_NEWNS | (0 if content["network"] else CLONE_NEWNET))
            show(content["bundle"], tmp_bytes=content["tmp_bytes"])
        except OSError as error:
            os.write(output, (json.dumps({"refused": error.strerror}) + "\n").encode())
            return
    else:
        if not content["network"]:
            cut_off_network()
        os.chdir(content["bundle"])
    os.set_inheritable(output, True)  # noqa: FBT003 - its only way
    _hand_over({**content["asked"], "output": output})
    os.execve(content["command"][0], content["command"], content["environment"])  # noqa: S606 - this process is the one to be timed


def waited() -> float:
    """Seconds that this thread has waited for a CPU: machines that build are busy ones."""
    try:
        with open("/proc/thread-self/schedstat", "rb") as stream:  # noqa: PTH123 - no pathlib here
            return int(stream.read().split()[1]) * 1e-9
    except OSError:  # Linux was built without
        return 0.0


def _hand_over(asked: dict[str, Any]) -> None:
    """Give it as standard input, with the time of the start."""
    descriptor = os.memfd_create("asked")
    with os.fdopen(os.dup(descriptor), "w", encoding="utf-8") as stream:
        json.dump({**asked, "waited": waited(), "started": time.perf_counter()}, stream)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.dup2(descriptor, 0)


if __name__ == "__main__":
    main(sys.argv[1])
