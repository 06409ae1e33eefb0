"""Lays a card with the UID sys.argv[2] into vpcd's virtual reader at the port sys.argv[1], and takes it away when it
was asked for its UID and half a second has passed."""

import socket
import sys

ATR = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")
reader = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
uid = bytes.fromhex(sys.argv[2])


def read(length):
    got = b""
    while len(got) < length:
        part = reader.recv(length - len(got))
        if not part:
            sys.exit("the reader has gone")
        got += part
    return got


def say(answer):
    reader.sendall(len(answer).to_bytes(2, "big") + answer)


asked = False
while True:
    try:
        asked_for = read(int.from_bytes(read(2), "big"))
    except TimeoutError:
        break
    if len(asked_for) == 1:  # 0 off, 1 on, 2 reset: no answer
        if asked_for == b"\x04":
            say(ATR)
    elif asked_for[:2] == b"\xff\xca":
        say(uid + b"\x90\x00")
        asked = True
    else:
        say(b"\x6d\x00")
    # vpcd asks for the ATR over and over: nothing else tells how long the card has lain there.
    if asked and asked_for == b"\x04":
        break
