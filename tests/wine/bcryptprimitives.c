/* Rust's library asks bcryptprimitives.dll for random bytes; Wine 8 has no such file, and a program that
 * needs it ends without a word. For the test machine alone, never shipped. */
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE into, SIZE_T length)
{
    return RtlGenRandom(into, (ULONG)length);
}
