/* The half of the card bridge that Windows programs load as winscard.dll. Its functions are forwarded to
 * pcscbridge.dll by winscard.def; these three are data, which cannot be. */
struct io_request {
    unsigned int protocol;
    unsigned int length;
};

__declspec(dllexport) const struct io_request g_rgSCardT0Pci = {1, sizeof(struct io_request)};
__declspec(dllexport) const struct io_request g_rgSCardT1Pci = {2, sizeof(struct io_request)};
__declspec(dllexport) const struct io_request g_rgSCardRawPci = {0x10000, sizeof(struct io_request)};
