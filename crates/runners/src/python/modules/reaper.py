"""What calls leave behind; worker.py stands after this text, as one program with it."""

import os
import signal
import sys
import threading
import time

# How often what a call has left is ended before the worker gives up, and the seconds between two looks at what is left.
ROUNDS, LOOK = 20, 1.0
TICKS = os.sysconf("SC_CLK_TCK")


class Reaper:
    """Ends the processes that calls have started and left behind, once none is under way, and waits for the end of those
    that nobody else waits for. Orphans of theirs are this process's children."""

    def __init__(self):
        self.process, self.lock = os.getpid(), threading.Lock()
        # How many calls run, since when some do, and between which ticks since boot some did since the last look.
        self.calls, self.since, self.busy = 0, 0, []
        self.next_look, self.timer, self.zombies = 0.0, None, set()

    def begin(self):
        with self.lock:
            if self.calls == 0:
                self.since = self.now()
            self.calls += 1
            self.look_later()

    def end(self):
        # A function that forked may return in the child.
        if os.getpid() != self.process:
            return
        with self.lock:
            self.calls -= 1
            if self.calls > 0:
                return
            now = self.now()
            if self.busy and self.since <= self.busy[-1][1] + 1:
                self.busy[-1][1] = now
            else:
                self.busy.append([self.since, now])
            if self.has_none():  # as after nearly every call
                self.busy.clear()
            elif time.monotonic() >= self.next_look:
                self.clear()

    def look(self):
        """Once a second, while calls run or something is left."""
        with self.lock:
            self.timer = None
            if not self.has_none():
                if self.calls == 0:
                    self.clear()
                self.reap()
            if self.calls > 0 or self.zombies:
                self.look_later()

    def look_later(self):
        if self.timer is None:
            self.timer = threading.Timer(LOOK, self.look)
            self.timer.daemon = True
            self.timer.start()

    def clear(self):
        """Ends what was started while calls ran. What a module starts at other times is its own."""
        for _ in range(ROUNDS):
            left = [child for child, zombie, began in self.children() if not zombie and self.is_of_a_call(began)]
            if not left:
                # Where a module has children of its own, each call would have to look through all of the machine.
                self.next_look = 0.0 if self.has_none() else time.monotonic() + LOOK
                self.busy.clear()
                return
            for child in left:
                try:
                    os.kill(child, signal.SIGKILL)
                    # It stays a zombie, so that whoever started it sees how it ended.
                    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
                except OSError:
                    pass  # somebody has waited for it
            self.look_later()
        sys.stderr.write("a call has left processes that cannot be ended\n")
        os._exit(1)

    def reap(self):
        """Waits for who has been a zombie at two looks: whoever started it would have done so by now."""
        zombies = {child for child, zombie, _ in self.children() if zombie}
        for child in zombies & self.zombies:
            try:
                os.waitpid(child, os.WNOHANG)
            except OSError:
                pass
        self.zombies = zombies - self.zombies

    def is_of_a_call(self, began):
        return any(first <= began <= last for first, last in self.busy)

    @staticmethod
    def now():
        return int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS)

    @staticmethod
    def has_none():
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        return False

    @staticmethod
    def children():
        """Each with whether it is a zombie and its start in ticks (proc_pid_stat(5): what follows the name, which may hold
        anything, begins with state and parent; the 20th of it is the start)."""
        own = str(os.getpid()).encode()
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat", "rb") as file:
                        fields = file.read().rpartition(b")")[2].split()
                except OSError:
                    continue
                if fields[1] == own:
                    yield int(name), fields[0] == b"Z", int(fields[19])
