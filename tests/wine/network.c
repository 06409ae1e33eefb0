// A provider of networks, so that connections can be remembered and ended under Wine, which brings none that does:
// it reaches no machine. For tests alone.
#include <windows.h>
#include <npapi.h>

DWORD WINAPI NPGetCaps(DWORD what)
{
    switch (what) {
    case WNNC_SPEC_VERSION: return WNNC_SPEC_VERSION51;
    case WNNC_NET_TYPE: return 0x00ff0000;
    case WNNC_CONNECTION: return WNNC_CON_CANCELCONNECTION;
    case WNNC_START: return WNNC_WAIT_FOR_START;
    default: return 0;
    }
}

// Wine leaves what is remembered of a connection to its provider.
DWORD WINAPI NPCancelConnection(WCHAR *name, BOOL force)
{
    WCHAR key[] = L"Network\\?";
    (void)force;
    if (!name || !name[0] || name[1] != ':')
        return WN_NOT_CONNECTED;
    key[8] = name[0];
    return RegDeleteTreeW(HKEY_CURRENT_USER, key) == ERROR_SUCCESS ? WN_SUCCESS : WN_NOT_CONNECTED;
}
