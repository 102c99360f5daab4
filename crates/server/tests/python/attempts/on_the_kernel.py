"""Attempts to have the kernel help, and on the control socket."""

import ctypes
import mmap
import os
import resource
import signal
import socket

from attempted import attempt, nothing, refused, syscall


@attempt
def begin_a_session(facts):
    if os.fork() == 0:
        try:
            os.setsid()
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.wait()[1])
    if code:
        raise OSError(code, "")
    return "begun"


@attempt
def change_its_process_group(facts):
    return os.setpgid(0, 0)


@attempt
def make_a_user_name_space(facts):
    return syscall(272, 0x10000000)


@attempt
def clone_into_a_user_name_space(facts):
    child = syscall(56, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    return child


@attempt
def mount_something(facts):
    return syscall(165, b"none", b"/tmp", b"tmpfs", 0, 0)


@attempt
def change_its_root(facts):
    return os.chroot(".")


@attempt
def use_io_uring(facts):
    return syscall(425, 1, ctypes.create_string_buffer(256))


@attempt
def use_bpf(facts):
    return syscall(321, 0, ctypes.create_string_buffer(128), 128)


@attempt
def use_perf_events(facts):
    return syscall(298, ctypes.create_string_buffer(128), 0, -1, -1, 0)


@attempt
def use_userfaultfd(facts):
    return syscall(323, 1)


@attempt
def leave_a_key_in_the_kernel(facts):
    return syscall(248, b"user", b"msp", b"x", 1, -5)


@attempt
def leave_shared_memory(facts):
    return syscall(29, 4711, 4096, 0o1600)


@attempt
def remove_the_shared_memory_of_others(facts):
    return refused(lambda: syscall(31, 4711, 0, 0))


@attempt
def take_more_stack_than_memory(facts):
    return resource.setrlimit(resource.RLIMIT_STACK, (1 << 33, 1 << 33))


@attempt
def take_memory_that_grows_downwards(facts):
    return mmap.mmap(-1, 1 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x100)


@attempt
def leave_a_message_queue(facts):
    return syscall(240, b"msp-attempt", os.O_CREAT | os.O_RDWR, 0o600, 0)


@attempt
def use_a_system_call_of_x32(facts):
    return syscall(0x40000000 | 39)


@attempt
def ask_the_control_socket(facts):
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(facts["control"])
        door.sendall(b'{"do":"status"}\n')
        return door.recv(100).decode()


@attempt
def ask_the_control_socket_with_half_a_pair(facts):
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    pair[0].connect(facts["control"])
    return "connected"


@attempt
def ask_the_control_socket_with_half_a_stream(facts):
    pair = socket.socketpair()
    pair[0].connect(facts["control"])
    return "connected"


@attempt
def use_sockets_beside_the_network(facts):
    made = []
    for family in (socket.AF_UNIX, socket.AF_PACKET, socket.AF_VSOCK, socket.AF_ALG):
        try:
            socket.socket(family, socket.SOCK_STREAM if family != socket.AF_PACKET else socket.SOCK_RAW)
            made.append(family.name)
        except OSError:
            pass
    return made or nothing()
