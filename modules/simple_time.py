"""The time for people: what `time_test` answers."""

import time


def entry_call() -> str:
    return "It is currently: \n\t" + time.ctime()
