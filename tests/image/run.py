#!/usr/bin/env python3
"""Starts the image in a machine of QEMU's and works there: no seed, a seed, a badge, a PIN, an app, a handoff, a power
cut in the middle of a session, the start after it, and the log. Pictures of every step are kept.

Use: run.py IMAGE-DIRECTORY CLEANSHIFTCTL PICTURES      exit code 0: all held
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time

from machine import Machine

ANA, SOFIA = "04A1B2C3", "04D4E5F6"
PINS = {ANA: "483920", SOFIA: "571903"}
KEYS = {ANA: "ana.ruiz", SOFIA: "sofia.lind"}
# A machine without KVM takes its time, and this one may share its processors.
START, STEP = 2400, 600
TROUBLE = ("out of service", "kernel panic", "grub>", "emergency mode", "login:")
HERE = os.path.dirname(os.path.abspath(__file__))
SIZE = "12G"


def run(*command, **more):
    """Runs a program that has to succeed, and answers what it printed."""
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


def seed(place):
    """A USB stick for the station, as IT would make one."""
    stick = f"{place}/seed.img"
    with open(stick, "wb") as file:
        file.truncate(64 << 20)
    run("mkfs.fat", "-n", "CLEANSHIFT", stick)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{place}/key")
    shutil.copy(f"{place}/key.pub", f"{place}/authorized_keys")
    with open(f"{place}/hostname", "w") as file:
        file.write("station-12\n")
    run("mcopy", "-i", stick, f"{HERE}/seed/policy.toml", f"{HERE}/seed/roster.csv", f"{place}/authorized_keys",
        f"{place}/hostname", "::/")
    return stick


def one_time(place, badge):
    """Her one-time PIN, from what the station has written back to the stick."""
    for _ in range(60):
        told = subprocess.run(["mtype", "-i", f"{place}/seed.img", "::/seeded.txt"], capture_output=True, text=True).stdout
        with open(f"{place}/seeded.txt", "w") as kept:
            kept.write(told)
        for line in told.splitlines():
            if line.strip().startswith(KEYS[badge]) and (digits := re.findall(r"\b\d{6,}\b", line)):
                return digits[-1]
        time.sleep(2)
    raise AssertionError(f"no one-time PIN stands on the stick: {told}")


def log_of(place, ctl, name):
    """The station's own log, from its disk while the machine is off: verified, and as rows."""
    raw, state = f"{place}/disk.raw", f"{place}/state"
    run("qemu-img", "convert", "-O", "raw", f"{place}/disk.qcow2", raw)
    table = json.loads(run("sfdisk", "--json", raw))["partitiontable"]
    part = next(part for part in table["partitions"] if part.get("name") == "cleanshift-state")
    own = f"{place}/state.ext4"
    run("dd", f"if={raw}", f"of={own}", "bs=1M", "iflag=skip_bytes,count_bytes", "conv=sparse",
        f"skip={part['start'] * 512}", f"count={part['size'] * 512}")
    os.remove(raw)
    # A power cut leaves the file system's own journal to be played first, as the station does.
    subprocess.run(["e2fsck", "-p", own], stdout=subprocess.DEVNULL, check=False)
    shutil.rmtree(state, ignore_errors=True)
    os.mkdir(state, 0o700)
    run("debugfs", "-R", f"rdump /station {state}", own)
    run("debugfs", "-R", f"rdump /log {state}", own)
    # The stick has the key, which was made before the first entry; the policy is the one that was on it.
    with open(f"{place}/seeded.txt") as told:
        key = re.search(r"public key: (\S+)", told.read())[1]
    verdict = json.loads(run(ctl, "--state", f"{state}/station", "log", "verify", "--json", "--key", key,
                             "--policy", f"{HERE}/seed/policy.toml"))
    rows = run(ctl, "--state", f"{state}/station", "log", "list", "--json")
    with open(f"{place}/{name}.json", "w") as kept:
        kept.write(rows)
    os.remove(own)
    return verdict, [json.loads(row) for row in rows.splitlines()]


def tap(machine, badge, name):
    """Lays a badge on the reader; takes it and lays it down again when nothing came of it, as people do."""
    for last in (False, False, True):
        machine.badge.insert(badge)
        try:
            machine.until("Type your PIN", STEP // 4, name, TROUBLE)
            return
        except AssertionError:
            if last:
                raise
            print(f"  {machine.age():6.0f} s: nothing came of the tap: once more", flush=True)
            machine.badge.remove()
            time.sleep(10)


def come(machine, badge, name, first=None):
    """Lays a badge on the reader and types the PIN; with a one-time PIN, an own one twice after it."""
    tap(machine, badge, f"{name}-challenge")
    if first:
        machine.type(first + "\n")
        machine.until("Choose your own PIN", STEP, f"{name}-own-pin", TROUBLE)
        machine.type(PINS[badge] + "\n")
        machine.until("PIN again", STEP, f"{name}-again", TROUBLE)
    machine.type(PINS[badge] + "\n")
    machine.until("Your apps|End session", STEP, f"{name}-session", TROUBLE)


def works(machine, name):
    """Opens the terminal and types in it."""
    machine.click("Terminal")
    # Its prompt tells that it takes keys.
    machine.until(r"[$#]", STEP, f"{name}-terminal", TROUBLE)
    # What it answers stands nowhere in the question.
    machine.type("expr 9000 - 999\n")
    machine.until("8001", STEP, f"{name}-typed", TROUBLE)


def looked(machine, place):
    """What IT sees who comes in: the doctor finds nothing bad, no root can be written to, the units are hardened."""
    key = f"{place}/key"
    code, doctor = machine.inside(key, "cleanshiftctl", "doctor")
    with open(f"{place}/doctor.txt", "w") as kept:
        kept.write(doctor)
    if code != 0:
        raise AssertionError(f"doctor finds something bad, or SSH does not lead in: {code}\n{doctor}")
    if machine.inside(key, "touch", "/usr/here")[0] == 0:
        raise AssertionError("the root can be written to")
    wanted = {
        "disk.txt": ("journalctl -b -u cleanshift-disk -u cleanshift-seed --no-pager; findmnt; lsblk -o NAME,SIZE,PARTLABEL,FSTYPE",
                     "the station's partition is"),
        "security.txt": ("systemd-analyze security --no-pager | grep -E 'UNIT|cleanshift'", "cleanshift.service"),
        "failed.txt": ("systemctl --failed --no-pager; systemd-analyze time; systemctl list-timers --no-pager", "cleanshift-update"),
        "account.txt": ("passwd -S root; cat /proc/cmdline; systemctl is-enabled emergency.service debug-shell.service", "root L"),
    }
    for name, (command, holds) in wanted.items():
        said = machine.inside(key, command)[1]
        with open(f"{place}/{name}", "w") as kept:
            kept.write(said)
        if holds not in said:
            raise AssertionError(f"{name} does not say {holds}: {said}")
    print(f"  {machine.age():6.0f} s: SSH, doctor: {doctor.strip().splitlines()[-1]}", flush=True)


def after_the_cut(place, disk, times):
    """The start after a power cut, and a supervisor who reads the log of it."""
    print("test-image: UEFI, the same disk")
    machine = Machine(place, disk, "uefi")
    try:
        machine.until("Tap your badge", START, "8-vacant-after-the-cut", TROUBLE)
        times["uefi: switched on to the lock screen, after a power cut"] = round(machine.age())
        come(machine, SOFIA, "9-sofia", one_time(place, SOFIA))
        machine.click("log")
        # Her PIN counts for the log for a while; after that it is asked for again.
        if "PIN" in machine.until("recover|Type your PIN", STEP, "10-log", TROUBLE):
            machine.type(PINS[SOFIA] + "\n")
            machine.until("recover", STEP, "10-log", TROUBLE)
        machine.badge.remove()
        machine.until("Tap your badge", STEP, "11-vacant", TROUBLE)
        if not machine.press_power():
            raise AssertionError("the machine did not go off by its power button")
    finally:
        machine.cut()


def verified(place, ctl):
    """The log as it lies on the disk: it verifies, and tells of the handoff and of the power cut."""
    verdict, rows = log_of(place, ctl, "log")
    if verdict["verdict"] != "whole":
        raise AssertionError(f"the log does not hold: {verdict}")
    told = json.dumps(rows)
    triggers = re.findall(r'"trigger": "([a-z_-]+)"', told)
    print(f"test-image: the log is {verdict['verdict']}, {verdict.get('entries')} entries; triggers: {triggers}")
    # Nothing of this ends unclean, the machine's going off least of all.
    if unclean := [row["receipt"] for row in rows if row["receipt"]["kind"] == "quarantine"]:
        raise AssertionError(f"not every clean-up ended clean: {unclean}")
    for wanted in ("badge-out", "recovery"):
        if wanted not in told:
            raise AssertionError(f"no receipt with the trigger {wanted} is in the log: {told}")


def main():
    image, ctl, place = sys.argv[1:]
    place = os.path.abspath(place)
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(place)
    disk = f"{place}/disk.qcow2"
    run("qemu-img", "create", "-f", "qcow2", "-b", os.path.abspath(f"{image}/cleanshift.raw"), "-F", "raw", disk, SIZE)
    stick = seed(place)
    times = {}

    print("test-image: BIOS, without a seed")
    machine = Machine(place, disk, "bios")
    try:
        machine.until("not a station yet", START, "1-no-seed", TROUBLE[1:])
        times["bios: switched on to the first screen, with making the partitions"] = round(machine.age())
        machine.plug(stick)
        machine.until("Tap your badge", START, "2-vacant")
        machine.unplug()
        looked(machine, place)

        print("test-image: a badge, a PIN, an app, a handoff")
        come(machine, ANA, "3-ana", one_time(place, ANA))
        if bytes.fromhex("FFCA000000") not in machine.badge.asked:
            raise AssertionError("the station has not asked the card for its identifier")
        works(machine, "4-ana")
        machine.badge.remove()
        machine.until("Tap your badge", STEP, "5-vacant-again", TROUBLE)

        print("test-image: a power cut in the middle of a session")
        come(machine, ANA, "6-ana")
        works(machine, "7-ana")
    finally:
        machine.cut()

    after_the_cut(place, disk, times)
    verified(place, ctl)
    with open(f"{place}/times.json", "w") as kept:
        json.dump(times, kept, indent=2)
    for what, seconds in times.items():
        print(f"test-image: {what}: {seconds} s")
    print("test-image: good")


if __name__ == "__main__":
    sys.exit(main())
