"""A machine of QEMU's that nobody sees: its screen is read, its keys and its badge are ours. Without KVM."""

import difflib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

from card import Badge

# UEFI's own variables are kept in a file beside its code.
UEFI_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
UEFI_VARS = "/usr/share/OVMF/OVMF_VARS_4M.fd"
# No picture of this width or more with a word on it has fewer bytes.
WIDE, BLANK = 1280, 3200


class Machine:
    """One start of the machine, from `disk`, with its files in `place`."""

    def __init__(self, place, disk, firmware, memory=2048, more=()):
        self.place = place
        self.began = time.monotonic()
        self.shots = 0
        run = os.path.join(place, f"run-{os.getpid()}-{int(self.began)}")
        os.makedirs(run)
        self.run = run
        self.badge = Badge(f"{run}/badge")
        self.log = open(f"{place}/qemu.log", "a")
        command = [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-machine", "q35", "-accel", "tcg,thread=multi",
            "-cpu", "Nehalem,+rdrand", "-smp", "2", "-m", str(memory), "-uuid", "5d5a3a1e-7d0c-4b6e-9a51-0c6f1e7a2b11",
            "-display", "none", "-vga", "std", "-qmp", f"unix:{run}/qmp,server=on,wait=off",
            "-drive", f"file={disk},if=virtio,format=qcow2,cache=writethrough",
            "-device", "qemu-xhci,id=usb", "-device", "usb-tablet,bus=usb.0",
            "-chardev", f"socket,id=card,path={run}/badge",
            "-device", "usb-ccid,bus=usb.0", "-device", "ccid-card-passthru,chardev=card",
            # The station reaches nothing, and is reached by SSH from this host alone.
            "-netdev", "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22",
            "-device", "virtio-net-pci,netdev=net,romfile=", "-rtc", "base=utc",
            "-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng", *more,
        ]
        if firmware == "uefi":
            if not os.path.exists(f"{place}/uefi.vars"):
                shutil.copy(UEFI_VARS, f"{place}/uefi.vars")
            command += ["-drive", f"if=pflash,format=raw,readonly=on,file={UEFI_CODE}",
                        "-drive", f"if=pflash,format=raw,file={place}/uefi.vars"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        for _ in range(200):
            if os.path.exists(f"{run}/qmp"):
                break
            if self.process.poll() is not None:
                raise RuntimeError(f"QEMU did not start: see {place}/qemu.log")
            time.sleep(0.1)
        self.wire = socket.socket(socket.AF_UNIX)
        self.wire.connect(f"{run}/qmp")
        self.lines = self.wire.makefile("r")
        self.lines.readline()
        self.ask("qmp_capabilities")

    def age(self):
        """For how many seconds it has been switched on."""
        return time.monotonic() - self.began

    def ask(self, what, **how):
        """Asks QEMU for something."""
        self.wire.sendall(json.dumps({"execute": what, "arguments": how}).encode() + b"\n")
        while True:
            line = self.lines.readline()
            if not line:
                raise RuntimeError(f"QEMU has ended: see {self.place}/qemu.log")
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError(f"QEMU refused {what}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def inside(self, key, *command, seconds=600):
        """Runs a command in the station as root, by SSH, and answers its exit code and what it printed."""
        ports = self.ask("human-monitor-command", **{"command-line": "info usernet"})
        port = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)", ports)[1]
        last = time.monotonic() + seconds
        while True:
            done = subprocess.run(
                ["ssh", "-F", "none", "-i", key, "-p", port, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                 "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=60", "-o", "BatchMode=yes", "root@127.0.0.1", *command],
                capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
            # 255: the server is not there yet.
            if done.returncode != 255 or time.monotonic() > last:
                return done.returncode, done.stdout + done.stderr
            time.sleep(5)

    def shot(self, name):
        """Keeps a picture of the screen."""
        path = os.path.join(self.place, f"{name}.png")
        self.ask("screendump", filename=path, format="png")
        return path

    def words(self, name="now"):
        """What stands on the screen: each word and its middle, with the screen's size."""
        path = self.shot(name)
        with open(path, "rb") as picture:
            head = picture.read(24)
        width, height = int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
        # A screen of one colour: nothing to read, and the machine needs the processor more.
        if width >= WIDE and os.path.getsize(path) < BLANK:
            return [], (width, height)
        read = subprocess.run(["tesseract", path, "-", "--psm", "11", "tsv"], capture_output=True, text=True, check=True,
                              env={**os.environ, "OMP_THREAD_LIMIT": "1"})
        found = []
        for line in read.stdout.splitlines()[1:]:
            cells = line.split("\t")
            if len(cells) == 12 and cells[11].strip():
                left, top, wide, high = map(int, cells[6:10])
                found.append((cells[11].strip(), left + wide // 2, top + high // 2))
        return found, (width, height)

    def text(self, name="now"):
        """The same as one line."""
        return " ".join(word for word, _, _ in self.words(name)[0])

    def until(self, wanted, seconds, name, never=()):
        """Waits until the words stand on the screen, keeps its picture under the name, and answers the text."""
        last = time.monotonic() + seconds
        text = ""
        while time.monotonic() < last:
            looked = time.monotonic()
            text = self.text()
            if re.search(wanted, text, re.IGNORECASE):
                self.shot(name)
                print(f"  {self.age():6.0f} s: {name}", flush=True)
                return text
            for bad in never:
                if re.search(bad, text, re.IGNORECASE):
                    self.shot(f"{name}-not")
                    raise AssertionError(f"{name}: the screen says: {text}")
            # A look takes the machine's own processors: half of the time is the machine's.
            time.sleep(max(3, time.monotonic() - looked))
        self.shot(f"{name}-not")
        raise AssertionError(f"{name}: not after {seconds} s; the screen says: {text}")

    def keys(self, *names):
        """Presses keys, one after another; QEMU's own names."""
        for name in names:
            keys = [{"type": "qcode", "data": part} for part in name.split("-")]
            self.ask("send-key", keys=keys, **{"hold-time": 80})
            time.sleep(0.4)

    def type(self, text):
        """Types letters, digits and what stands beside them."""
        named = {" ": "spc", "-": "minus", ".": "dot", "/": "slash", "\n": "ret"}
        self.keys(*(named.get(letter, letter) for letter in text))

    def click(self, word):
        """Touches the middle of a word on the screen."""
        found, (width, height) = self.words()
        # The reading of a picture may get a letter wrong, not more.
        alike = [(difflib.SequenceMatcher(None, text.lower().strip(".,:"), word.lower()).ratio(), y, x)
                 for text, x, y in found]
        spots = [(x, y) for ratio, y, x in sorted(alike) if ratio > 0.8]
        if not spots:
            raise AssertionError(f"{word} does not stand on the screen: {' '.join(text for text, _, _ in found)}")
        x, y = spots[-1]
        self.point(x / width, y / height)
        time.sleep(0.5)
        for down in (True, False):
            self.ask("input-send-event", events=[{"type": "btn", "data": {"button": "left", "down": down}}])
            time.sleep(0.3)
        # Away from the words, which are read again.
        self.point(0.5, 0.99)

    def point(self, x, y):
        """Moves the pointer: 0 to 1 from the left, and from above."""
        self.ask("input-send-event", events=[{"type": "abs", "data": {"axis": axis, "value": int(part * 32767)}}
                                             for axis, part in (("x", x), ("y", y))])

    def plug(self, file):
        """Puts a USB stick in."""
        self.ask("blockdev-add", driver="raw", **{"node-name": "stick"},
                 file={"driver": "file", "filename": file, "cache": {"direct": False}})
        self.ask("device_add", driver="usb-storage", id="stick", bus="usb.0", drive="stick")

    def unplug(self):
        """Takes it out again."""
        self.ask("device_del", id="stick")

    def press_power(self):
        """The power button; answers whether the machine went off in time."""
        self.ask("system_powerdown")
        try:
            self.process.wait(300)
            return True
        except subprocess.TimeoutExpired:
            return False

    def cut(self):
        """A power cut."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.run, ignore_errors=True)
