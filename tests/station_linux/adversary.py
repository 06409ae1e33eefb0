# A session's worst program: tries to outlive its session, to reach out of its capsule, and to leave
# traces in every place. What it managed is written, one word a line, into REPORT; its living parts
# keep adding to HEARTBEAT.
import ctypes, os, signal, socket, subprocess, sys, time

shared, marker = sys.argv[1], sys.argv[2]
report, heartbeat = shared + "/report", shared + "/heartbeat"
libc = ctypes.CDLL(None, use_errno=True)

def say(*words):
    with open(report, "a") as out:
        out.write(" ".join(str(word) for word in words) + "\n")

def beat(name):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    while True:
        with open(heartbeat, "a") as out:
            out.write(name + "\n")
        time.sleep(0.05)

def daemon(name, clear=False):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            if clear:
                os.execve(sys.executable, [marker, __file__, shared, marker, "beat", name], {})
            beat(name)
        os._exit(0)

def churn():
    # Processes that are replaced all the time: a list of them is old before it is read.
    for _ in range(200):
        if os.fork() == 0:
            while True:
                if os.fork():
                    os._exit(0)
                time.sleep(0.5)

def rest():
    # Processes that stay: a look that sees these is not blind.
    for _ in range(50):
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            while True:
                time.sleep(600)

def attempt(name, deed):
    try:
        say(name, "did" if deed() else "did-not")
    except Exception as error:
        say(name, "did-not", type(error).__name__, error)

if len(sys.argv) > 3 and sys.argv[3] == "beat":
    beat(sys.argv[4])

for place in ("/tmp", "/var/tmp", "/dev/shm", os.environ["HOME"], os.environ["XDG_RUNTIME_DIR"]):
    attempt("file:" + place, lambda: open(f"{place}/{marker}", "w").write(marker))

# System V memory, an abstract socket, a key in the session keyring.
attempt("sysv", lambda: libc.shmget(0x51C2, 4096, 0o1600) >= 0)
hold = socket.socket(socket.AF_UNIX)
attempt("abstract", lambda: hold.bind("\0" + marker) is None)
attempt("key", lambda: libc.syscall(248, b"user", marker.encode(), marker.encode(), len(marker), -3) > 0)
attempt("keyring", lambda: subprocess.run(["secret-tool", "store", "--label=x", "what", marker], input=marker.encode()).returncode == 0)
attempt("clipboard", lambda: subprocess.Popen(["xclip", "-selection", "clipboard"], stdin=subprocess.PIPE).communicate(marker.encode(), timeout=5) is not None)
attempt("root-property", lambda: subprocess.run(["xprop", "-root", "-f", "CUT_BUFFER0", "8s", "-set", "CUT_BUFFER0", marker]).returncode == 0)

# Out of the capsule: what must not be seen, whatever its mode.
for path in sys.argv[3:]:
    attempt("see:" + path, lambda: os.stat(path))
attempt("outer-x", lambda: any(os.path.getsize("/tmp/.X11-unix/" + name) or not os.path.isfile("/tmp/.X11-unix/" + name)
                               for name in os.listdir("/tmp/.X11-unix") if name != "X" + os.environ["DISPLAY"][1:]))
for tool in ("sudo", "su", "pkexec"):
    attempt("tool:" + tool, lambda: subprocess.run([tool, "-n", "true"] if tool == "sudo" else [tool, "root", "-c", "true"],
                                                   stdin=subprocess.DEVNULL, capture_output=True, timeout=5).returncode == 0)

# PID 1 and its socket to the shell: pidfd_open, pidfd_getfd, and forged words.
def steal():
    one = libc.syscall(434, 1, 0)
    for number in range(0, 12):
        taken = libc.syscall(438, one, number, 0)
        if taken >= 0:
            os.write(taken, b'"Ready"')
            return True
    return False
attempt("steal-socket", steal)
attempt("trace-init", lambda: libc.ptrace(16, 1, 0, 0) == 0)
attempt("read-init", lambda: open("/proc/1/environ").read() is not None)

daemon("plain")
daemon("cleared", clear=True)
if os.fork() == 0:
    beat("child")
churn()
rest()
say("ready")
beat("main")
