"""What the attempts have in common. Each is a function of the facts that the test tells; what it returns is what it
got, an exception is nothing."""

import ctypes
import errno
import os

LIBC = ctypes.CDLL(None, use_errno=True)
ATTEMPTS = {}


def attempt(function):
    ATTEMPTS[function.__name__.replace("_", " ")] = function
    return function


def syscall(number, *arguments):
    result = LIBC.syscall(number, *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


def read(path):
    with open(path, "rb") as file:
        return f"{len(file.read(1 << 16))} bytes"


def refused(attempt):
    """What the filter must refuse: with any other answer it let the call through."""
    try:
        return attempt()
    except OSError as error:
        if error.errno == errno.EPERM:
            raise
        return errno.errorcode[error.errno]


def nothing():
    raise PermissionError(errno.EACCES, "")


def unless_changed(path, change):
    """Some calls report success and do nothing."""
    before = os.stat(path)
    change(path)
    after = os.stat(path)
    return [before, after] if (before.st_mode, before.st_mtime_ns) != (after.st_mode, after.st_mtime_ns) else nothing()
