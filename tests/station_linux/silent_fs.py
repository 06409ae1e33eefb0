# A file system whose files nobody ever gets to see: whoever looks for a name in it waits for ever, in a
# sleep that no signal ends. Until standard input closes; then it is gone, and they wake. For root.
import ctypes, os, struct, sys, threading

place = sys.argv[1]
device = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
if libc.mount(b"silent", place.encode(), b"fuse", 0, options.encode()) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))

LOOKUP, FORGET, GETATTR, INIT, INTERRUPT = 1, 2, 3, 26, 36

def answer(serial, body):
    os.write(device, struct.pack("<IiQ", 16 + len(body), 0, serial) + body)

def serve():
    while True:
        try:
            request = os.read(device, 1 << 17)
        except OSError:
            return
        _, operation, serial, node = struct.unpack_from("<IIQQ", request)
        if operation == INIT:
            major, minor, ahead, _ = struct.unpack_from("<IIII", request, 40)
            answer(serial, struct.pack("<IIIIHHIIHH", 7, min(minor, 31), ahead, 0, 12, 9, 1 << 16, 1, 0, 0) + bytes(32))
        elif operation == GETATTR:
            directory = struct.pack("<QQQQQQIIIIIIIII", node, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, 0, 0, 0, 0)
            answer(serial, struct.pack("<QII", 3600, 0, 0) + directory + bytes(4))
        elif operation == LOOKUP:
            print("asked", flush=True)
        elif operation not in (FORGET, INTERRUPT):
            os.write(device, struct.pack("<IiQ", 16, -38, serial))

threading.Thread(target=serve, daemon=True).start()
print("mounted", flush=True)
sys.stdin.read()
os._exit(0)
