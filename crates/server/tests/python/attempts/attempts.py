"""Tries to get what a function must not get. Runs as a Python function and, by itself, as an executable."""

import errno
import json
import mmap
import os
import socket
import sys
import threading
import urllib.error
import urllib.request

import on_files, on_processes, on_the_kernel  # noqa: F401, E401: they fill the list
from attempted import ATTEMPTS


def answer(url, body=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=10) as reply:
            return [reply.status, reply.read().decode()]
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode()]


def ask_the_sealed_door(facts):
    return answer(facts["sealed"], b'{"sealed":"AAAA"}')


def ask_the_ops_door(facts):
    return answer(facts["ops"])


def work(facts):
    import asyncio
    import shutil
    import sqlite3
    import ssl
    import subprocess
    import tempfile

    async def ask():
        process = await asyncio.create_subprocess_exec("echo", "asyncio", stdout=subprocess.PIPE)
        return (await process.communicate())[0].decode().strip()

    done = [asyncio.run(ask())]
    threads = [threading.Thread(target=done.append, args=("thread",)) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    done.append(subprocess.run("echo shell | cat", shell=True, capture_output=True, text=True).stdout.strip())
    child = subprocess.Popen(["sleep", "1000"])
    child.terminate()
    done.append(f"its own child ended by {-child.wait()}")
    certificates = ssl.create_default_context().cert_store_stats()["x509_ca"]
    done.append("certificates" if certificates or not os.path.exists("/etc/ssl/certs") else "no certificates")
    with tempfile.TemporaryDirectory() as folder:
        assert folder.startswith(os.environ["HOME"]), folder
        open(folder + "/a", "w").write("text")
        done.append(open(shutil.copy2(folder + "/a", folder + "/b")).read())
        done.append(sqlite3.connect(folder + "/db").execute("create table t (a)").fetchall())
    done.append(socket.gethostbyname("localhost"))
    done.append(len(mmap.mmap(-1, 1 << 20)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname(), timeout=10):
            done.append("connected")
    return done


def entry_call(what, **facts):
    os.chdir(os.environ["HOME"])
    if what == "everything":
        return [f"{name}: {outcome(function, facts)}" for name, function in ATTEMPTS.items()]
    return {"work": work, "sealed": ask_the_sealed_door, "ops": ask_the_ops_door}[what](facts)


def outcome(function, facts):
    try:
        return f"GOT {function(facts)!r}"
    except (OSError, ValueError) as error:
        return f"nothing ({errno.errorcode.get(getattr(error, 'errno', None), type(error).__name__)})"


if __name__ == "__main__":
    print(json.dumps(entry_call(**json.load(sys.stdin))))
