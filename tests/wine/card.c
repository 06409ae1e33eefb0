/* A Windows program that reads a badge: lists the readers, waits for a card, reads its UID (FF CA 00 00 00), waits
 * for it to go, and is called off in a wait by another thread. Says what it sees, a line each. */
#include <stdio.h>
#include <string.h>
#include <windows.h>
#include <winscard.h>

static SCARDCONTEXT context;

static int failed(const char *what, LONG said)
{
    if (said == SCARD_S_SUCCESS)
        return 0;
    printf("failed to %s: %08lx\n", what, (unsigned long)said);
    return 1;
}

static DWORD WINAPI call_off(void *unused)
{
    (void)unused;
    Sleep(300);
    SCardCancel(context);
    return 0;
}

int main(void)
{
    char readers[512];
    BYTE ask[] = {0xFF, 0xCA, 0x00, 0x00, 0x00}, answer[64], atr[36];
    DWORD length = sizeof readers, got = sizeof answer, protocol = 0, state = 0, atr_length = sizeof atr;
    SCARD_READERSTATEA watched;
    SCARDHANDLE card;
    HANDLE thread;

    setvbuf(stdout, NULL, _IONBF, 0);
    if (failed("reach the card service", SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context)))
        return 1;
    if (failed("list readers", SCardListReadersA(context, NULL, readers, &length)))
        return 1;
    for (char *reader = readers; *reader; reader += strlen(reader) + 1)
        printf("reader %s\n", reader);

    memset(&watched, 0, sizeof watched);
    watched.szReader = readers;
    while (!(watched.dwEventState & SCARD_STATE_PRESENT)) {
        if (failed("wait for a card", SCardGetStatusChangeA(context, 20000, &watched, 1)))
            return 1;
        watched.dwCurrentState = watched.dwEventState;
    }
    printf("present, ATR of %lu bytes\n", (unsigned long)watched.cbAtr);
    if (failed("connect", SCardConnectA(context, readers, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1,
                                        &card, &protocol)))
        return 1;
    if (failed("ask for the state", SCardStatusA(card, NULL, NULL, &state, NULL, atr, &atr_length)))
        return 1;
    printf("protocol %lu, state %lu, the same ATR: %s\n", (unsigned long)protocol, (unsigned long)state,
           atr_length == watched.cbAtr && memcmp(atr, watched.rgbAtr, atr_length) == 0 ? "yes" : "no");
    if (failed("ask the card", SCardTransmit(card, protocol == 1 ? SCARD_PCI_T0 : SCARD_PCI_T1, ask, sizeof ask, NULL,
                                             answer, &got)))
        return 1;
    printf("answer");
    for (DWORD at = 0; at < got; at++)
        printf(" %02X", answer[at]);
    printf("\n");
    if (failed("let the card go", SCardDisconnect(card, SCARD_LEAVE_CARD)))
        return 1;

    while (!(watched.dwEventState & SCARD_STATE_EMPTY)) {
        if (failed("wait for it to go", SCardGetStatusChangeA(context, 20000, &watched, 1)))
            return 1;
        watched.dwCurrentState = watched.dwEventState;
    }
    printf("gone\n");

    thread = CreateThread(NULL, 0, call_off, NULL, 0, NULL);
    length = (DWORD)SCardGetStatusChangeA(context, 20000, &watched, 1);
    printf("called off: %08lx\n", (unsigned long)length);
    WaitForSingleObject(thread, INFINITE);
    return failed("leave", SCardReleaseContext(context));
}
