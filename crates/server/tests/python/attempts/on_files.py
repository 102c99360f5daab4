"""Attempts on files."""

import fcntl
import os

from attempted import attempt, nothing, read, refused, unless_changed


@attempt
def read_the_server_key(facts):
    return read(facts["key"])


@attempt
def read_the_registry(facts):
    return read(facts["registry"])


@attempt
def read_the_configuration(facts):
    return read(facts["config"])


@attempt
def read_the_list_of_modules(facts):
    return read(facts["list"])


@attempt
def read_the_log(facts):
    return read(facts["log"])


@attempt
def list_the_key_folder(facts):
    return os.listdir(os.path.dirname(facts["key"]))


@attempt
def read_the_key_through_the_root_of_the_server(facts):
    return read(f"/proc/{facts['server']}/root{facts['key']}")


@attempt
def read_the_key_through_a_symbolic_link(facts):
    os.symlink(facts["key"], "link")
    return read("link")


@attempt
def read_the_key_through_a_hard_link(facts):
    os.link(facts["key"], "hard")
    return read("hard")


@attempt
def read_the_key_through_a_descriptor_of_its_path(facts):
    descriptor = os.open(facts["key"], os.O_PATH)
    try:
        return read(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


@attempt
def move_the_key_away(facts):
    return os.rename(facts["key"], "mine")


@attempt
def remove_the_registry(facts):
    return os.unlink(facts["registry"])


@attempt
def cut_the_registry_off(facts):
    return os.truncate(facts["registry"], 0)


@attempt
def cut_the_key_off_neither_reading_nor_writing_it(facts):
    return refused(lambda: os.open(facts["key"], 3 | os.O_TRUNC))


@attempt
def lease_a_module(facts):
    descriptor = os.open(facts["module"], os.O_RDONLY)
    try:
        return fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    finally:
        os.close(descriptor)


@attempt
def cut_a_module_off_while_reading_it(facts):
    return os.open(facts["module"], os.O_RDONLY | os.O_TRUNC)


@attempt
def write_a_module(facts):
    return open(facts["module"], "a").write("x")


@attempt
def add_a_module(facts):
    return open(os.path.dirname(facts["module"]) + "/added.py", "w").write("x")


@attempt
def remove_a_module(facts):
    return os.unlink(facts["module"])


@attempt
def replace_a_module(facts):
    open("new", "w").write("x")
    return os.replace("new", facts["module"])


@attempt
def open_the_key_to_other_users(facts):
    return unless_changed(facts["key"], lambda path: os.chmod(path, 0o666))


@attempt
def close_the_key_folder_to_the_server(facts):
    return unless_changed(os.path.dirname(facts["key"]), lambda path: os.chmod(path, 0))


@attempt
def close_a_module_to_the_server(facts):
    with open(facts["module"]) as file:
        return unless_changed(file.fileno(), lambda path: os.fchmod(path, 0))


@attempt
def have_all_modules_load_again(facts):
    return unless_changed(facts["module"], lambda path: os.utime(path, (1, 1)))


@attempt
def mark_the_key(facts):
    return os.setxattr(facts["key"], "user.msp", b"x")


@attempt
def give_the_key_to_another_user(facts):
    return os.chown(facts["key"], 12345, -1)


@attempt
def write_outside_of_its_folder(facts):
    places = ["/", "/dev/shm", "/etc", "/proc", "/root", "/run", "/sys", "/tmp", "/usr", "/var/tmp", facts["folder"]]
    written = []
    for place in places:
        try:
            open(f"{place}/msp-attempt", "w").close()
            written.append(place)
        except OSError:
            pass
    return written or nothing()


@attempt
def list_the_temporary_folders_of_others(facts):
    return os.listdir(os.path.dirname(os.environ["HOME"]))


@attempt
def change_settings_of_the_kernel(facts):
    changed = []
    for path in ("/proc/sys/kernel/core_pattern", "/proc/self/oom_score_adj", "/proc/self/comm"):
        try:
            open(path, "w").close()
            changed.append(path)
        except OSError:
            pass
    return changed or nothing()
