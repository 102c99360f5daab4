"""What calls leave behind; worker.py stands after this text, as one program with it."""

import os
import signal
import sys
import threading
import time

# How often what a call has left is ended before the worker gives up, and the seconds between two looks where modules
# have processes of their own.
ROUNDS, LOOK = 20, 1.0


class Leavings:
    """Ends the processes that calls leave behind, once none is under way. Orphans of theirs are this process's children."""

    def __init__(self):
        self.process, self.lock, self.calls = os.getpid(), threading.Lock(), 0
        self.next_look, self.timer = 0.0, None
        self.kept = set() if self.has_none() else self.children()  # they belong to the modules, not to a call

    def begin(self):
        with self.lock:
            self.calls += 1

    def end(self):
        # A function that forked may return in the child.
        if os.getpid() != self.process:
            return
        with self.lock:
            self.calls -= 1
            if self.calls == 0:
                self.clear()

    def clear(self):
        for _ in range(ROUNDS):
            if self.has_none():  # as after nearly every call
                return
            if self.kept and time.monotonic() < self.next_look:
                return self.look_later()
            self.next_look = time.monotonic() + LOOK
            left = self.children() - self.kept
            if not left:
                return
            for child in left:
                try:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                except OSError:
                    pass  # a thread of the module's has waited for it
            self.next_look = 0.0
        sys.stderr.write("a call has left processes that cannot be ended\n")
        os._exit(1)

    def look_later(self):
        """For modules that have processes, so that each call would have to look through those of the machine."""
        if self.timer is None:
            self.timer = threading.Timer(LOOK, self.look)
            self.timer.daemon = True
            self.timer.start()

    def look(self):
        with self.lock:
            self.timer = None
            if self.calls == 0:
                self.clear()

    @staticmethod
    def has_none():
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        return False

    @staticmethod
    def children():
        """proc_pid_stat(5): after the name, which may hold anything, come the state and the parent."""
        found, own = set(), str(os.getpid()).encode()
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat", "rb") as file:
                        fields = file.read().rpartition(b")")[2].split()
                except OSError:
                    continue
                if fields[1] == own:
                    found.add(int(name))
        return found
