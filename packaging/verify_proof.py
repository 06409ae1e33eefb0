#!/usr/bin/env python3
"""Verifies what a Cleanshift station has written, without any code of Cleanshift's: python3-nacl and this.

    verify_proof.py KEY FILE.tlog-proof...        receipts that prove themselves (c2sp.org/tlog-proof)
    verify_proof.py KEY EXPORT.jsonl CHECKPOINT   a whole ledger against a checkpoint that was kept elsewhere

KEY is what `cleanshiftctl log key` printed when the station was set up, or a file that holds it. CHECKPOINT
is a file with a signed checkpoint, or any .tlog-proof. Exit code 0: all holds; 1: something does not.
"""
import base64, hashlib, json, pathlib, sys
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

def leaf(entry):
    return hashlib.sha256(b"\x00" + entry).digest()

def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()

def root(leaves):
    """The definition of RFC 6962, section 2.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256().digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node(root(leaves[:split]), root(leaves[split:]))

def root_from(path, at, index, size):
    """The way from the leaf `at` to the root of a tree of this size (RFC 9162, section 2.1.3.2)."""
    last = size - 1
    for beside in path:
        if index & 1 or index == last:
            at = node(beside, at)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            at = node(at, beside)
        index, last = index >> 1, last >> 1
    return at if last == 0 else None

def signed_head(note, key):
    """The size and root of a checkpoint, once the key's signature under it holds (c2sp.org/signed-note)."""
    name, _, public = key.strip().split("+", 2)
    text, signatures = note.rsplit("\n\n", 1)
    public = base64.b64decode(public, validate=True)  # 0x01 for Ed25519, then the key
    key_id = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
    for line in signatures.splitlines():
        signature = base64.b64decode(line.split(" ")[-1], validate=True)
        if line.startswith(f"\u2014 {name} ") and signature[:4] == key_id:
            VerifyKey(public[1:]).verify((text + "\n").encode(), signature[4:])
            origin, size, head = text.split("\n")[:3]
            return (int(size), base64.b64decode(head)) if origin == name else sys.exit("broken: another origin")
    sys.exit("broken: the checkpoint is not signed by this key")

def main(key, *files):
    key = pathlib.Path(key).read_text("utf-8") if pathlib.Path(key).exists() else key
    if files[0].endswith(".jsonl"):
        lines = pathlib.Path(files[0]).read_bytes().splitlines()
        leaves, there = [leaf(line) for line in lines], [json.loads(line)["index"] for line in lines]
        if gap := next((at for at, index in enumerate(there) if at != index), None):
            sys.exit(f"not shown: entry {gap} is not in this file; what was pruned leaves no root: take proofs, or station.db")
        note = pathlib.Path(files[1]).read_text("utf-8")
        size, head = signed_head(note.split("\n\n", 1)[1] if note.startswith("c2sp.org/tlog-proof@") else note, key)
        if len(leaves) < size or root(leaves[:size]) != head:
            sys.exit(f"broken: these {len(leaves)} entries do not give the root that was signed over {size}")
        return print(f"whole: {size} of {len(leaves)} entries stand under the checkpoint")
    for file in files:
        top, note = pathlib.Path(file).read_text("utf-8").split("\n\n", 1)
        _, extra, index, *path = top.split("\n")
        entry, index, (size, signed) = base64.b64decode(extra[6:]), int(index[6:]), signed_head(note, key)
        if root_from(map(base64.b64decode, path), leaf(entry), index, size) != signed:
            sys.exit(f"broken: {file}: the receipt does not lead to the root that was signed")
        whole = ["c2sp.org/tlog-proof@v1", f"extra {base64.b64encode(entry).decode()}", f"index {index}"]
        if json.loads(entry)["index"] != index or top.split("\n")[:3] != whole:
            sys.exit(f"broken: {file}: it says another number, or is no proof")
        print(f"whole: {file}: entry {index} of {size}, {json.loads(entry)['kind']}")

if __name__ == "__main__":
    try:
        main(*sys.argv[1:]) if len(sys.argv) > 2 else sys.exit(print(__doc__) or 2)
    except (BadSignatureError, ValueError, IndexError) as error:
        sys.exit(f"broken: {error or 'the signature does not hold'}")
