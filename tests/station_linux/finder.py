# Looks from inside a session for what another has left: one line for each place, "yes" or "no".
import os, subprocess, sys

shared, marker = sys.argv[1], sys.argv[2]

def output(*command):
    done = subprocess.run(command, capture_output=True, timeout=10)
    return done.stdout.decode(errors="replace")

def files(*places):
    return any(marker in name for place in places for _, folders, names in os.walk(place) for name in folders + names)

def processes():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = open(f"/proc/{pid}/cmdline", errors="replace").read()
            if int(pid) != os.getpid() and marker in words and "finder" not in words:
                return True
        except OSError:
            pass
    return False

looks = {
    "files": lambda: files("/tmp", "/var/tmp", "/dev/shm", os.environ["HOME"], os.environ["XDG_RUNTIME_DIR"]),
    "keyring": lambda: marker in output("secret-tool", "lookup", "what", marker),
    "clipboard": lambda: marker in output("xclip", "-selection", "clipboard", "-o"),
    "root property": lambda: marker in output("xprop", "-root", "CUT_BUFFER0"),
    "system v memory": lambda: any(int(line.split()[0]) == 0x51C2 for line in open("/proc/sysvipc/shm").readlines()[1:]),
    "processes": processes,
}
with open(shared + "/finding", "w") as out:
    for name, look in looks.items():
        out.write(f"{name}: {'yes' if look() else 'no'}\n")
os.rename(shared + "/finding", shared + "/found")
