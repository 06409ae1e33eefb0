# Tries every way there is to change a file, and says which have worked: PATH [PID of another's namespaces] [anew].
import ctypes, os, shutil, sys

path, pid, anew = sys.argv[1], sys.argv[2], sys.argv[3:] == ["anew"]
place = os.path.dirname(path)
other = os.path.expanduser("~/other")
libc = ctypes.CDLL(None, use_errno=True)
MS_BIND, MNT_DETACH = 4096, 2
inside = path.removeprefix(f"/proc/{pid}/root")


def text(name, mode="w"):
    with open(name, mode) as file:
        file.write("{}")


def call(name, *arguments):
    if getattr(libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)


def among_the_others(name, *arguments):
    """A system call from within the other's namespaces. A program that is started there has lost the right to it."""
    child = os.fork()
    if child == 0:
        try:
            if pid != "own":
                spaces = [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY) for kind in ("user", "mnt")]
                for space in spaces:
                    call("setns", space, 0)
            call(name, *arguments)
        except OSError:
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        raise OSError(name)


WAYS = {
    "write": lambda: text(path),
    "append": lambda: text(path, "a"),
    "open": lambda: os.close(os.open(path, os.O_RDWR)),
    "truncate": lambda: os.truncate(path, 0),
    "mode": lambda: os.chmod(path, 0o666),
    "rename": lambda: os.rename(path, path + ".old"),
    "unlink": lambda: os.unlink(path),
    "add": lambda: text(place + "/zz-more.json"),
    "move": lambda: os.rename(place, place + ".old"),
    "bind": lambda: among_the_others("mount", other.encode(), inside.encode(), None, ctypes.c_ulong(MS_BIND), None),
    "unmount": lambda: among_the_others("umount2", inside.encode(), MNT_DETACH),
}
text(other)
for name, way in WAYS.items():
    if anew and name != "unmount":
        shutil.rmtree(place, ignore_errors=True)
        os.makedirs(place)
        text(path)
    try:
        way()
        print(name, end=" ")
    except OSError:
        pass
