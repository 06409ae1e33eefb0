# What programs under Wine are to be given, for the prefix $1: to be read by other scripts (.).
export WINEPREFIX=$(realpath -m "$1")
export WINEARCH=win64
# Loader errors are hidden too: whoever tests looks for what a program says, never for silence.
export WINEDEBUG=-all
export WINEDLLOVERRIDES="mscoree=;mshtml="
# The Kerberos tickets of this Windows are its own, and not those of whoever runs it.
export KRB5CCNAME=FILE:$WINEPREFIX/tickets
