"""Attempts on the server and on other processes."""

import ctypes
import os
import resource
import signal
import socket

from attempted import LIBC, attempt, nothing, syscall


def look_into(process):
    seen = []
    for what in ["environ", "maps", "mem", "auxv", "io", "syscall"]:
        try:
            with open(f"/proc/{process}/{what}", "rb") as file:
                # Nothing lies at the beginning of a memory; that it could be opened is enough.
                seen.append(what if what == "mem" or file.read(1) else "")
        except OSError:
            pass
    for what in ["cwd", "root", "exe", "fd/0", "fd/3"]:
        try:
            seen.append(f"{what} {os.readlink(f'/proc/{process}/{what}')}")
        except OSError:
            pass
    return seen or nothing()


@attempt
def look_into_the_server(facts):
    return look_into(facts["server"])


@attempt
def look_into_another_worker(facts):
    return look_into(facts["other"])


def trace(process):
    LIBC.ptrace.restype = ctypes.c_long
    if LIBC.ptrace(16, process, None, None) < 0:
        raise OSError(ctypes.get_errno(), "")
    return "attached"


@attempt
def trace_the_server(facts):
    return trace(facts["server"])


@attempt
def trace_another_worker(facts):
    return trace(facts["other"])


@attempt
def copy_the_memory_of_the_server(facts):
    buffer = ctypes.create_string_buffer(8)
    here = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
    there = (ctypes.c_size_t * 2)(0x400000, 8)
    if LIBC.process_vm_readv(facts["server"], here, 1, there, 1, 0) < 0:
        raise OSError(ctypes.get_errno(), "")
    return buffer.raw


@attempt
def take_a_descriptor_of_the_server(facts):
    return syscall(438, os.pidfd_open(facts["server"]), 3, 0)


@attempt
def kill_its_parent(facts):
    return os.kill(os.getppid(), signal.SIGKILL)


@attempt
def stop_the_server(facts):
    return os.kill(facts["server"], signal.SIGSTOP)


@attempt
def end_the_server_through_a_descriptor(facts):
    return signal.pidfd_send_signal(os.pidfd_open(facts["server"]), signal.SIGTERM)


@attempt
def kill_another_worker(facts):
    return os.kill(facts["other"], signal.SIGKILL)


@attempt
def take_the_descriptors_of_the_server_away(facts):
    return resource.prlimit(facts["server"], resource.RLIMIT_NOFILE, (3, 3))


@attempt
def slow_the_server_down(facts):
    return os.setpriority(os.PRIO_PROCESS, facts["server"], 19)


@attempt
def pin_the_server_to_one_processor(facts):
    return os.sched_setaffinity(facts["server"], {0})


@attempt
def raise_its_own_limits(facts):
    return resource.setrlimit(resource.RLIMIT_DATA, (1 << 40, 1 << 40))


@attempt
def become_another_user(facts):
    return os.setresuid(12345, 12345, 12345)


@attempt
def have_capabilities(facts):
    lines = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
    sets = {name: lines[name] for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")}
    return sets if set(sets.values()) != {"0" * 16} or lines["NoNewPrivs"] != "1" else nothing()


@attempt
def use_descriptors_it_was_not_given(facts):
    known = ("pipe:", "/proc/", "/dev/null", "anon_inode:")
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            what = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue  # the listing's own
        if what.startswith("socket:"):
            with socket.socket(fileno=os.dup(int(number))) as held:
                # Its own are pairs without a name; a listener, a connection or the control socket has one.
                if held.family != socket.AF_UNIX or held.getsockname() or held.getpeername():
                    found.append(f"{what} {held}")
        elif not what.startswith(known):
            found.append(what)
    return found or nothing()
