# Holds one thread of a program still, the others going on, until standard input closes. For root.
import ctypes, os, sys

SEIZE, INTERRUPT = 0x4206, 0x4207
thread = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
for request in (SEIZE, INTERRUPT):
    if libc.ptrace(request, thread, None, None) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
os.waitpid(thread, 0x40000000)
print("held", flush=True)
sys.stdin.read()
