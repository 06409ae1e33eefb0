/* Starts a program without an administrator's rights, as Windows starts what nobody has raised: with the other half of
 * the own token. Under Wine every program that comes from outside is an administrator's. Ends as the program does.
 *
 * Use: ordinary.exe PROGRAM ARGUMENT... */
#include <stdio.h>
#include <string.h>
#include <windows.h>

static int failed(const char *what)
{
    fprintf(stderr, "ordinary: failed to %s: error %lu\n", what, GetLastError());
    return 125;
}

int wmain(void)
{
    HANDLE own, ordinary;
    TOKEN_LINKED_TOKEN other;
    STARTUPINFOW start = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION started;
    DWORD length, code;
    WCHAR *line = GetCommandLineW();

    /* What comes after the own name is handed on as it was written. */
    line += *line == L'"' ? wcscspn(line + 1, L"\"") + 2 : wcscspn(line, L" ");
    line += wcsspn(line, L" ");
    start.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ALL_ACCESS, &own) ||
        !GetTokenInformation(own, TokenLinkedToken, &other, sizeof other, &length) ||
        !DuplicateTokenEx(other.LinkedToken, TOKEN_ALL_ACCESS, NULL, SecurityImpersonation, TokenPrimary, &ordinary))
        return failed("get the ordinary half of the token");
    if (!CreateProcessAsUserW(ordinary, NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &started))
        return failed("start the program");
    WaitForSingleObject(started.hProcess, INFINITE);
    return GetExitCodeProcess(started.hProcess, &code) ? (int)code : failed("ask how the program ended");
}
