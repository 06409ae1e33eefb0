/* The half of the card bridge that is Linux's: Windows' calls, as the pcsc crate makes them, carried out by
 * libpcsclite. Wine 8's own winscard.dll has every name and does nothing.
 *
 * The two differ in the width of numbers (32 bits there, 64 here), in the layout of a reader's state, in the
 * raw protocol (0x10000 there, 4 here), in how a card's state is told (a number there, bits here) and in the
 * code of a control. Errors are the same but for "unsupported feature", which libpcsclite tells by
 * Windows' code for "unexpected". Names are in bytes alone (...A); buffers are the caller's (no
 * SCARD_AUTOALLOCATE). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <winscard.h>
#include <reader.h>

#define WINDOWS __attribute__((ms_abi, visibility("default")))

typedef uint32_t word;
typedef int32_t answer;

struct windows_state {
    const char *reader;
    void *tag;
    word current, event, atr_length;
    unsigned char atr[36];
};

struct windows_pci {
    word protocol, length;
};

static word protocol_to_windows(DWORD protocol)
{
    return protocol & SCARD_PROTOCOL_RAW ? (word)((protocol & ~SCARD_PROTOCOL_RAW) | 0x10000) : (word)protocol;
}

static DWORD protocol_from_windows(word protocol)
{
    return protocol & 0x10000 ? (protocol & ~0x10000u) | SCARD_PROTOCOL_RAW : protocol;
}

/* The highest bit that libpcsclite has set, as Windows counts the states. Above 16 bits are its events. */
static word state_to_windows(DWORD state)
{
    word number = 0;
    for (state = (state & 0xFFFF) >> 1; state != 0; state >>= 1)
        number++;
    return number;
}

WINDOWS answer establish_context(word scope, void *one, void *two, uintptr_t *context)
{
    SCARDCONTEXT made = 0;
    LONG said = SCardEstablishContext(scope, one, two, &made);
    *context = (uintptr_t)made;
    return (answer)said;
}

WINDOWS answer release_context(uintptr_t context)
{
    return (answer)SCardReleaseContext((SCARDCONTEXT)context);
}

WINDOWS answer is_valid_context(uintptr_t context)
{
    return (answer)SCardIsValidContext((SCARDCONTEXT)context);
}

WINDOWS answer cancel(uintptr_t context)
{
    return (answer)SCardCancel((SCARDCONTEXT)context);
}

WINDOWS answer list_readers(uintptr_t context, const char *groups, char *readers, word *length)
{
    DWORD wide = *length;
    LONG said = SCardListReaders((SCARDCONTEXT)context, groups, readers, &wide);
    *length = (word)wide;
    return (answer)said;
}

WINDOWS answer get_status_change(uintptr_t context, word timeout, struct windows_state *states, word count)
{
    SCARD_READERSTATE *wide = calloc(count ? count : 1, sizeof *wide);
    LONG said;
    if (wide == NULL)
        return (answer)SCARD_E_NO_MEMORY;
    for (word at = 0; at < count; at++) {
        wide[at].szReader = states[at].reader;
        wide[at].dwCurrentState = states[at].current;
    }
    said = SCardGetStatusChange((SCARDCONTEXT)context, timeout, wide, count);
    for (word at = 0; at < count; at++) {
        DWORD atr = wide[at].cbAtr > MAX_ATR_SIZE ? MAX_ATR_SIZE : wide[at].cbAtr;
        states[at].event = (word)wide[at].dwEventState;
        states[at].atr_length = (word)atr;
        memcpy(states[at].atr, wide[at].rgbAtr, atr);
    }
    free(wide);
    return (answer)said;
}

WINDOWS answer connect_card(uintptr_t context, const char *reader, word share, word protocols, uintptr_t *card,
                            word *protocol)
{
    SCARDHANDLE made = 0;
    DWORD active = 0;
    LONG said = SCardConnect((SCARDCONTEXT)context, reader, share, protocol_from_windows(protocols), &made, &active);
    *card = (uintptr_t)made;
    *protocol = protocol_to_windows(active);
    return (answer)said;
}

WINDOWS answer reconnect(uintptr_t card, word share, word protocols, word before, word *protocol)
{
    DWORD active = 0;
    LONG said = SCardReconnect((SCARDHANDLE)card, share, protocol_from_windows(protocols), before, &active);
    if (protocol != NULL)
        *protocol = protocol_to_windows(active);
    return (answer)said;
}

WINDOWS answer disconnect(uintptr_t card, word after)
{
    return (answer)SCardDisconnect((SCARDHANDLE)card, after);
}

WINDOWS answer begin_transaction(uintptr_t card)
{
    return (answer)SCardBeginTransaction((SCARDHANDLE)card);
}

WINDOWS answer end_transaction(uintptr_t card, word after)
{
    return (answer)SCardEndTransaction((SCARDHANDLE)card, after);
}

WINDOWS answer card_status(uintptr_t card, char *reader, word *reader_length, word *state, word *protocol,
                           unsigned char *atr, word *atr_length)
{
    DWORD wide_reader = reader_length ? *reader_length : 0, wide_atr = atr_length ? *atr_length : 0;
    DWORD wide_state = 0, wide_protocol = 0;
    LONG said = SCardStatus((SCARDHANDLE)card, reader, reader_length ? &wide_reader : NULL, &wide_state,
                            &wide_protocol, atr, atr_length ? &wide_atr : NULL);
    if (reader_length != NULL)
        *reader_length = (word)wide_reader;
    if (atr_length != NULL)
        *atr_length = (word)wide_atr;
    if (state != NULL)
        *state = state_to_windows(wide_state);
    if (protocol != NULL)
        *protocol = protocol_to_windows(wide_protocol);
    return (answer)said;
}

WINDOWS answer transmit(uintptr_t card, const struct windows_pci *send, const unsigned char *sent, word sent_length,
                        struct windows_pci *receive, unsigned char *received, word *received_length)
{
    SCARD_IO_REQUEST out = {protocol_from_windows(send->protocol), sizeof out}, in = {0, sizeof in};
    DWORD wide = *received_length;
    LONG said = SCardTransmit((SCARDHANDLE)card, &out, sent, sent_length, &in, received, &wide);
    *received_length = (word)wide;
    if (receive != NULL)
        receive->protocol = protocol_to_windows(in.dwProtocol);
    return (answer)said;
}

WINDOWS answer control(uintptr_t card, word code, const void *sent, word sent_length, void *received, word room,
                       word *received_length)
{
    DWORD wide = 0, own = SCARD_CTL_CODE((code & 0xFFFF) >> 2);
    LONG said = SCardControl((SCARDHANDLE)card, own, sent, sent_length, received, room, &wide);
    if (received_length != NULL)
        *received_length = (word)wide;
    return (answer)said;
}

WINDOWS answer get_attrib(uintptr_t card, word attribute, unsigned char *value, word *length)
{
    DWORD wide = *length;
    LONG said = SCardGetAttrib((SCARDHANDLE)card, attribute, value, &wide);
    *length = (word)wide;
    return (answer)said;
}

WINDOWS answer set_attrib(uintptr_t card, word attribute, const unsigned char *value, word length)
{
    return (answer)SCardSetAttrib((SCARDHANDLE)card, attribute, value, length);
}
