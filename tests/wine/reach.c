/* What a session's program can reach of the station's own desktop, for the script that is run by hand on a real machine
 * (src/manual/windows.rs): Wine has no separate desktops.
 *
 * Use: reach.exe hook FILE SECONDS     writes down every key that it is shown, as its number
 *      reach.exe desktops             tells of each desktop of this window station whether it can be opened, and hooked
 *      reach.exe picture FILE.bmp     what it sees of the screen
 *      reach.exe raise                asks for an administrator's rights */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
#include <shellapi.h>

static FILE *report;

static LRESULT CALLBACK key(int code, WPARAM what, LPARAM data)
{
    if (code == HC_ACTION && (what == WM_KEYDOWN || what == WM_SYSKEYDOWN)) {
        fprintf(report, "key %lu\n", (unsigned long)((KBDLLHOOKSTRUCT *)data)->vkCode);
        fflush(report);
    }
    return CallNextHookEx(NULL, code, what, data);
}

static int hook(const char *file, int seconds)
{
    MSG message;
    report = fopen(file, "w");
    if (report == NULL || SetWindowsHookExA(WH_KEYBOARD_LL, key, GetModuleHandleA(NULL), 0) == NULL)
        return printf("failed to hook: error %lu\n", GetLastError()), 1;
    fprintf(report, "hooked\n");
    fflush(report);
    SetTimer(NULL, 0, (UINT)seconds * 1000, NULL);
    while (GetMessageA(&message, NULL, 0, 0) > 0 && message.message != WM_TIMER)
        ;
    return 0;
}

static BOOL CALLBACK desktop(LPSTR name, LPARAM count)
{
    HDESK seen = OpenDesktopA(name, 0, FALSE, DESKTOP_READOBJECTS);
    DWORD why = seen ? 0 : GetLastError();
    HDESK hooked = OpenDesktopA(name, 0, FALSE, DESKTOP_READOBJECTS | DESKTOP_HOOKCONTROL | DESKTOP_JOURNALRECORD);
    printf("%s: %s (error %lu), %s\n", name, seen ? "opens" : "does not open", why, hooked ? "can be hooked" : "cannot be hooked");
    if (seen)
        CloseDesktop(seen);
    if (hooked)
        CloseDesktop(hooked);
    ++*(int *)count;
    return TRUE;
}

static int desktops(void)
{
    int count = 0;
    EnumDesktopsA(GetProcessWindowStation(), desktop, (LPARAM)&count);
    printf("%d desktops\n", count);
    return count == 0;
}

static int picture(const char *file)
{
    int wide = GetSystemMetrics(SM_CXVIRTUALSCREEN), high = GetSystemMetrics(SM_CYVIRTUALSCREEN);
    HDC screen = GetDC(NULL), memory = CreateCompatibleDC(screen);
    HBITMAP bitmap = CreateCompatibleBitmap(screen, wide, high);
    BITMAPINFOHEADER head = {sizeof head, wide, high, 1, 32, BI_RGB, 0, 0, 0, 0, 0};
    DWORD length = (DWORD)wide * (DWORD)high * 4;
    BITMAPFILEHEADER start = {0x4D42, sizeof start + sizeof head + length, 0, 0, sizeof start + sizeof head};
    char *dots = malloc(length);
    FILE *out = fopen(file, "wb");
    if (dots == NULL || out == NULL)
        return printf("failed to write %s\n", file), 1;
    SelectObject(memory, bitmap);
    if (!BitBlt(memory, 0, 0, wide, high, screen, GetSystemMetrics(SM_XVIRTUALSCREEN), GetSystemMetrics(SM_YVIRTUALSCREEN), SRCCOPY) ||
        !GetDIBits(memory, bitmap, 0, (UINT)high, dots, (BITMAPINFO *)&head, DIB_RGB_COLORS))
        return printf("failed to look at the screen: error %lu\n", GetLastError()), 1;
    fwrite(&start, sizeof start, 1, out);
    fwrite(&head, sizeof head, 1, out);
    fwrite(dots, length, 1, out);
    return printf("%d x %d\n", wide, high), fclose(out) != 0;
}

int main(int count, char **words)
{
    if (count == 4 && strcmp(words[1], "hook") == 0)
        return hook(words[2], atoi(words[3]));
    if (count == 2 && strcmp(words[1], "desktops") == 0)
        return desktops();
    if (count == 3 && strcmp(words[1], "picture") == 0)
        return picture(words[2]);
    if (count == 2 && strcmp(words[1], "raise") == 0)
        return (INT_PTR)ShellExecuteA(NULL, "runas", "cmd.exe", NULL, NULL, SW_SHOWNORMAL) <= 32;
    printf("use: hook FILE SECONDS, desktops, picture FILE.bmp or raise\n");
    return 2;
}
