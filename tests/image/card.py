"""A badge for QEMU's card reader: the other end of its `ccid-card-passthru`, in the VSCard protocol.

The reader finds a contactless card that tells its identifier (FF CA 00 00 00) and knows nothing else. Whoever
inserts and removes it is the test; each APDU that was asked is kept in `asked`.
"""

import socket
import struct
import threading

INIT, ERROR, READER_ADD, READER_REMOVE, ATR, CARD_REMOVE, APDU = range(1, 8)
# A contactless storage card, as PC/SC part 3 writes it.
A_CARD = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")


class Badge:
    """Listens at `path`; QEMU comes to it."""

    def __init__(self, path):
        self.uid = None
        self.asked = []
        self.problem = None
        self.line = None
        self.there = threading.Event()
        self.writing = threading.Lock()
        self.door = socket.socket(socket.AF_UNIX)
        self.door.bind(path)
        self.door.listen(1)
        threading.Thread(target=self.serve, daemon=True).start()

    def send(self, kind, data=b""):
        with self.writing:
            self.line.sendall(struct.pack(">III", kind, 0, len(data)) + data)

    def read(self, size):
        data = b""
        while len(data) < size:
            more = self.line.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def serve(self):
        self.line, _ = self.door.accept()
        try:
            self.send(INIT, b"VSCD" + struct.pack(">II", 2, 0))
            while True:
                kind, _, size = struct.unpack(">III", self.read(12))
                data = self.read(size)
                if kind == INIT:
                    self.send(READER_ADD, b"badges\0")
                    self.there.set()
                elif kind == APDU:
                    self.asked.append(data)
                    self.send(APDU, self.answer(data))
                elif kind == ERROR and data != bytes(4):
                    self.problem = f"QEMU refused: {data.hex()}"
        except (EOFError, OSError):
            # The machine is switched off.
            self.there.clear()

    def answer(self, apdu):
        if self.uid is not None and apdu[:4] == bytes.fromhex("FFCA0000"):
            return self.uid + b"\x90\x00"
        return b"\x6a\x82"

    def insert(self, uid):
        """Lays a badge on the reader; `uid` is its identifier in hexadecimal."""
        if not self.there.wait(60):
            raise TimeoutError("QEMU has no card reader")
        self.uid = bytes.fromhex(uid)
        self.send(ATR, A_CARD)

    def remove(self):
        """Takes it away."""
        self.uid = None
        self.send(CARD_REMOVE)
