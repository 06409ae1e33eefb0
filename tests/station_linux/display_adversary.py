# A session's worst client of its display: a window with a title of 1 MB and an icon of 64 MB that asks
# to outlive its program, a menu's grabs of pointer and keyboard, the clipboard, a cut buffer, and at
# last the whole display held for itself.
import ctypes, sys, time

shared, marker = sys.argv[1], sys.argv[2].encode()
x = ctypes.CDLL("libX11.so.6")
pointer, number = ctypes.c_void_p, ctypes.c_ulong
x.XOpenDisplay.restype = pointer
for name in ("XDefaultRootWindow", "XCreateSimpleWindow", "XInternAtom"):
    getattr(x, name).restype = number

def say(word):
    with open(shared + "/report", "a") as out:
        out.write(word + "\n")

display = pointer(x.XOpenDisplay(None))
root = number(x.XDefaultRootWindow(display))
window = number(x.XCreateSimpleWindow(display, root, 0, 0, 900, 500, 0, number(0), number(0xFF00FF)))

def atom(name):
    return number(x.XInternAtom(display, name.encode(), 0))

REPLACE, APPEND = 0, 2
title = marker + b"x" * (1 << 20)
x.XChangeProperty(display, window, atom("WM_NAME"), atom("STRING"), 8, REPLACE, title, len(title))
chunk = (number * (1 << 20))(*([4096, 4095] + [0xFFFF00FF] * ((1 << 20) - 2)))
for part in range(16):
    x.XChangeProperty(display, window, atom("_NET_WM_ICON"), atom("CARDINAL"), 32, APPEND if part else REPLACE,
                      ctypes.byref(chunk), 1 << 20)
x.XSetCloseDownMode(display, 1)
x.XMapWindow(display, window)
x.XSync(display, 0)
time.sleep(1)
x.XSetSelectionOwner(display, atom("CLIPBOARD"), window, number(0))
x.XStoreBytes(display, marker, len(marker))
x.XGrabPointer(display, window, 1, ctypes.c_uint(4), 1, 1, number(0), number(0), number(0))
x.XGrabKeyboard(display, window, 1, 1, 1, number(0))
x.XSync(display, 0)
say("shown")
time.sleep(1)
x.XGrabServer(display)
x.XSync(display, 0)
say("held")
time.sleep(600)
