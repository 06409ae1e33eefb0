//! Classes 7, 9 and 10: what programs keep of a person in the account's own profile. A session's own profile ends with
//! it; these gates look into the one that Windows has for the station's account, where a program that asks Windows for
//! its folders writes all the same.

use std::path::{Path, PathBuf};

use windows_sys::Win32::UI::Shell::{FOLDERID_LocalAppData, FOLDERID_RoamingAppData};

use super::account::folder;
use super::{Gate, Look, folders};

pub(super) const GATES: [Gate; 3] = [
    Gate {
        class: 7,
        name: "browser profiles",
        what: "browser files",
        method: "the account's browser and web cache folders",
        inside: true,
        partial: None,
        look: |_| look(&LOCAL_BROWSERS, &ROAMING_BROWSERS),
        clear: Some(folders::delete),
    },
    Gate {
        class: 9,
        name: "recent files and histories",
        what: "histories",
        method: "Recent, jump lists, Office, Outlook, Teams, Timeline",
        inside: true,
        partial: None,
        look: |_| look(&LOCAL_RECENT, &ROAMING_RECENT),
        clear: Some(folders::delete),
    },
    Gate {
        class: 10,
        name: "thumbnails",
        what: "caches",
        method: "Explorer's caches of thumbnails and icons",
        inside: true,
        partial: None,
        look: |_| look(&THUMBNAILS, &[]),
        clear: Some(folders::delete),
    },
];

/// Browsers' profiles and caches, below the local data of an account.
const LOCAL_BROWSERS: [&str; 12] = [
    r"BraveSoftware\Brave-Browser\User Data",
    r"Chromium\User Data",
    r"Google\Chrome\User Data",
    r"Microsoft\Edge\User Data",
    r"Microsoft\Feeds Cache",
    r"Microsoft\Internet Explorer",
    r"Microsoft\Windows\History",
    r"Microsoft\Windows\INetCache",
    r"Microsoft\Windows\INetCookies",
    r"Microsoft\Windows\IEDownloadHistory",
    r"Microsoft\Windows\WebCache",
    r"Mozilla\Firefox",
];
/// The same below the data that goes with an account.
const ROAMING_BROWSERS: [&str; 3] =
    [r"Microsoft\Internet Explorer\UserData", r"Microsoft\Windows\Cookies", r"Mozilla\Firefox"];
/// What was opened last, and what programs keep of it.
const LOCAL_RECENT: [&str; 7] = [
    "ConnectedDevicesPlatform",
    r"Microsoft\Office\16.0\OfficeFileCache",
    r"Microsoft\Office\OTele",
    r"Microsoft\Outlook",
    r"Microsoft\Teams",
    r"Packages\MSTeams_8wekyb3d8bbwe\LocalCache",
    r"Packages\Microsoft.ScreenSketch_8wekyb3d8bbwe",
];
/// The same below the data that goes with an account.
const ROAMING_RECENT: [&str; 6] = [
    r"Microsoft\Office\Recent",
    r"Microsoft\Outlook",
    r"Microsoft\Teams",
    r"Microsoft\UProof",
    r"Microsoft\Windows\PowerShell\PSReadLine",
    r"Microsoft\Windows\Recent",
];
/// Pictures that Explorer keeps of files.
const THUMBNAILS: [&str; 2] = [r"Microsoft\Windows\Explorer", "D3DSCache"];

fn look(local: &[&str], roaming: &[&str]) -> Look {
    let (Some(near), Some(far)) = (folder(&FOLDERID_LocalAppData), folder(&FOLDERID_RoamingAppData)) else {
        return Look::unknown("Windows does not say where this account's data is");
    };
    let places: Vec<PathBuf> = local
        .iter()
        .map(|place| near.join(place))
        .chain(roaming.iter().map(|place| far.join(place)))
        .collect();
    folders::look(&places.iter().map(PathBuf::as_path).collect::<Vec<&Path>>())
}
