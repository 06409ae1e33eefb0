//! MIT-MAGIC-COOKIE-1: made for each nested display, written as an Xauthority file (Xau(3)).

use std::io;
use std::path::Path;

/// The name of the only protocol in use.
pub const PROTOCOL: &[u8] = b"MIT-MAGIC-COOKIE-1";
/// The address family that matches every host.
const ANY_HOST: u16 = 0xffff;

/// Makes a fresh cookie and writes it, for display `number`, into a file of this account alone.
///
/// # Errors
/// When the kernel gives no random bytes or the file cannot be written.
pub fn make(path: &Path, number: u32) -> io::Result<Vec<u8>> {
    let cookie = hex::decode(crate::platform::linux::capsule::random_hex(16)?).map_err(io::Error::other)?;
    write(path, &number.to_string(), &cookie)?;
    Ok(cookie)
}

/// Writes a cookie for display `number` (empty: any) into a file of this account alone.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, number: &str, cookie: &[u8]) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut entry = ANY_HOST.to_be_bytes().to_vec();
    for field in [&b""[..], number.as_bytes(), PROTOCOL, cookie] {
        entry.extend(u16::try_from(field.len()).map_err(io::Error::other)?.to_be_bytes());
        entry.extend(field);
    }
    let _ = std::fs::remove_file(path);
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(&entry)
}
