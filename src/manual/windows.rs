//! What only a real Windows machine can show: a script for one person, half an hour, before each release.
//!
//! The tests of the Windows station run under Wine, which has no separation of desktops, no real sign-in, no screen behind
//! Ctrl+Alt+Del, no Keyboard Filter, no BitLocker and no second account that it keeps out. What follows is done by
//! hand on Windows 11 IoT Enterprise (24H2 or newer). Whoever does it writes down, for each step, *as said* or what she
//! saw instead; a step that was left out is written down as left out. A step that does not end as it says is a defect, and
//! the release waits.
//!
//! # What has to be there (before the half hour)
//!
//! * A machine, or a virtual one with a TPM, that is nobody's: Windows 11 IoT Enterprise, not joined to a domain, two
//!   screens of which one can be unplugged, a PC/SC reader and two badges; a phone that makes films.
//! * An administrator's account `it`, and an ordinary local account `station` with a password that signs in by itself
//!   (Sysinternals Autologon, so that the password is not readable in the registry).
//! * `reach.exe` (`tests/wine/shims.sh` builds it into `target/wine/`) in `C:\Tools`, where Users may read: it tells what a
//!   session's program can reach.
//! * The MSI that is to be released, Edge, and the policy below as `C:\ProgramData\Cleanshift\policy.toml` after step 1.
//! * A second machine on the same network for step 13, with Remote Desktop and PowerShell remoting to this one.
//!
//! ```toml
//! roles = ["staff", "supervisor"]
//!
//! [station]
//! name = "Release test"
//! help = "IT"
//!
//! [badge]
//! mode = "hold"
//!
//! [times]
//! idle = "2 min"
//!
//! [supervisors]
//! roles = ["supervisor"]
//!
//! [[apps]]
//! name = "Page"
//! icon = "globe"
//! kind = "web"
//! url = "https://example.org/"
//! reverify = "PIN"
//!
//! [[apps]]
//! name = "Notes"
//! icon = "book"
//! command = "C:\\Windows\\System32\\notepad.exe"
//!
//! [[apps]]
//! name = "Prompt"
//! icon = "terminal"
//! command = "C:\\Windows\\System32\\cmd.exe"
//! ```
//!
//! # The script
//!
//! | step | min | what to do | what to see |
//! |---|---|---|---|
//! | 1 Install | 3 | As `it`, in an elevated prompt in which `C:\Program Files\Cleanshift` is the directory (`cd`): `msiexec /i cleanshift-VERSION-x64.msi /qn ADDLOCAL=Main,Kiosk STATIONACCOUNT=station`. Lay the policy, `cleanshiftctl policy check` it, and `cleanshiftctl roster add` two operators, one of them a supervisor. Look at the file's properties, *Digital Signatures*, where the package was signed. In `gpedit.msc`, *Administrative Templates*, *Cleanshift*, set *The station's name* to `%COMPUTERNAME%`; `cleanshiftctl policy show`. | exit code 0 and no window; `sc.exe query CleanshiftService` says RUNNING. *Apps* lists Cleanshift with its icon, version and publisher. `C:\ProgramData\Cleanshift\doctor.txt` tells what is bad here. The signature is valid. The templates load without a message; the policy in force has the machine's name. |
//! | 2 Who may write | 2 | `icacls C:\ProgramData\Cleanshift` and, as `station` (`runas /user:station cmd`), `echo x > C:\ProgramData\Cleanshift\x.toml` and `echo x >> C:\ProgramData\Cleanshift\policy.toml`. | Only SYSTEM, Administrators and, for what is made below, CREATOR OWNER have full control; Users read, and make directories. Both writes: *Access is denied*. |
//! | 3 Keyboard Filter | 1 | As `it`, switch on the optional features *Keyboard Filter* and *Shell Launcher*; block with it `Alt+F4`, `Alt+Tab`, `Win`, `Ctrl+Esc`, `Ctrl+Shift+Esc`; set `ForceOffAccessibility` and `DisableKeyboardFilterForAdministrators` to 1; restart. | The machine comes up in the station, without a desktop before it, filmed. No taskbar is seen at any moment. |
//! | 4 The station's screen | 2 | Before any tap: `Win`, `Win+L`, `Win+D`, `Win+Tab`, `Win+Ctrl+Right`, `Win+U`, `Win+P`, `Win+Space`, `Alt+Tab`, `Alt+F4`, `Ctrl+Esc`, `Ctrl+Shift+Esc`, five times `Shift`, the left `Alt+Shift+PrtSc`; a swipe from each edge where the screen takes touch. | Nothing of Windows shows, for no moment of the film. The station's screen stays in front on both screens. |
//! | 5 Ctrl+Alt+Del | 1 | Press it on the station's screen, and later again in a session (step 7). Then Esc. | Windows' own screen offers none of *Lock*, *Switch user*, *Sign out*, *Change a password*, *Task Manager*. Esc leads back to what was there. Where one still shows: it is a policy of the account: set it by group policy (User Configuration, System, Ctrl+Alt+Del Options) for `station`, and write it down. |
//! | 6 Two desktops | 3 | Tap, type the PIN. In *Prompt*: `C:\Tools\reach.exe desktops`; then `start C:\Tools\reach.exe hook C:\Users\Public\keys.txt 90`, type `abc` into *Notes*, go back to the launcher with the bar's *Apps*, start *Page*, which asks for the PIN, and type it; `C:\Tools\reach.exe picture C:\Users\Public\seen.bmp` in the session, and once more started with `timeout 10 &&` before it while the launcher is shown. | `desktops`: *Cleanshift* does not open, or cannot be hooked. `keys.txt` has 65, 66, 67 and no digit of the PIN. Both pictures show the session's windows or nothing, never the launcher or a keypad. |
//! | 7 A handoff | 3 | Leave *Notes* with text unsaved, copy text (`Win+V` must show no history), start a print, sign in to a page in Edge. Pull the badge while filming. Tap the other badge. | Within one frame or two after the badge has gone the session is not seen. The receipt (`cleanshiftctl log list` and `cleanshiftctl log show N` as `it`) counts every gate; Edge asks the second operator to sign in; nothing can be pasted; `qwinsta` shows one session. Task Manager of `it` (switched to over Remote Desktop) shows no process of the first session. |
//! | 8 Strong mode | 4 | Set `[capsule] mode = "account"`, `Restart-Service CleanshiftService`, restart the shell by signing out `station` as `it`. Work as before; during the session `Get-LocalUser` and `whoami` from an app. After the handoff `Get-LocalUser`, `dir C:\Users`, and `reg query "HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList"`. | In the session the apps are of an account of their own, which was not there before. After it the account, its directory and its SID in ProfileList are gone, and the receipt says so of credentials, DPAPI, HKCU and WAM. |
//! | 9 Entra and Kerberos | 2 | Only on a machine that is joined: sign in to a Microsoft 365 page in the session, pull the badge, and in the next session `dsregcmd /status` and `klist`. | `AzureAdPrt : NO`, no ticket, and the page asks who one is. In the default mode the receipt says *unknown* or *by setting* of WAM and PRT, never *absent* without having looked. Left out where the machine is not joined: write that down. |
//! | 10 Toasts and UAC | 2 | As `it` over PowerShell remoting, send a toast to the session (`msg station hello`; a calendar alarm), on the station's screen and in a session. In a session start a program that asks for rights (`C:\Tools\reach.exe raise`). | No notice over the station's screen, and none with content anywhere. Windows asks for an administrator on its own secure desktop; cancelling leads back to the session; pulling the badge while it asks covers the session, and cancelling it then does not uncover it. |
//! | 11 Suspend | 2 | In a session: close the lid or `rundll32 powrprof.dll,SetSuspendState 0,1,0` by a remote hand; wait ten seconds; wake it, filming. | From the first frame on the station's screen, never the session. The receipt's trigger is *suspend*. |
//! | 12 Screens | 1 | In a session unplug the second screen and plug it in again; then pull the badge and plug in a screen that was not there before. Change the scaling of one to 150 %. | No screen ever shows a desktop of Windows, or the session after the badge has gone. The station's screen is sharp at either scaling. |
//! | 13 Remote Desktop | 1 | From the second machine connect as `it`, and then look at the station. | The connection takes the console away: the session was covered and handed off first (trigger in the receipt), or the connection is refused by policy. Nothing of the session is seen remotely. |
//! | 14 What kills | 1 | As `it` over remoting, in a session, filming: `Get-CimInstance Win32_Process -Filter "Name='cleanshift.exe'" | Where-Object CommandLine -notmatch "--watch" | ForEach-Object { Stop-Process $_.ProcessId -Force }`; then three times within a minute. | The session is gone with the shell, and the station's screen is back within seconds, never a desktop. After the third time the out-of-service screen says what is wrong, and takes nothing. |
//! | 15 Power | 1 | In a session, pull the plug (or *Reset* of the virtual machine); start it again. With BitLocker on: `manage-bde -status C:`. | The station comes up, its first clean-up is one of recovery, and the profile of the session is gone from `C:\ProgramData\Cleanshift\state\run`. `doctor` tells that the drive is encrypted. |
//! | 16 Away again | 1 | As `it`: `msiexec /x cleanshift-VERSION-x64.msi /qn`, restart. | Windows' own desktop comes up for every account. Ctrl+Alt+Del offers all again. `policy.toml` and `state` are still in `C:\ProgramData\Cleanshift`. Where there is time, install again and take it away with `PURGE=1`: then they are not. |
//!
//! In all 30 minutes, of which the restarts of 3, 15 and 16 take most on slow machines.
//!
//! # Gates that Wine shows nothing to
//!
//! The unit tests plant something for every other gate, which it sees, and of which it sees that it has gone. For these
//! Wine has nothing that could be planted: each is seen here alone, in the receipt of the step that is named
//! (`cleanshiftctl log show N --json`), once with what is to be found and once without. They are done once for every
//! version of Windows that is new, beside the half hour.
//!
//! | gate | step | why not under Wine | what to plant, and what the gate must say |
//! |---|---|---|---|
//! | Windows sessions | 13 | it has one session | the second sign-in that stays: *present*, number of the session |
//! | WMI consumers | 7 | it keeps no repository | nothing can be planted without an administrator's rights: *absent, unreachable*; as `it`, a consumer of PowerShell's `Set-WmiInstance`: `doctor`'s account row is bad then |
//! | primary refresh token | 9 | it has no `dsregcmd` | a sign-in at a machine that is joined: *present*, or the baseline's |
//! | print jobs | 7 | its `EnumJobs` does nothing: the gate is unknown there | a job on a paused printer in the session: *1 cleared* |
//! | dialled networks | 7 | it has no remote access | `rasdial` of a VPN in the session: *present*, for people to end |
//! | Recall | 7 | its Windows is older | without the policy *setting*, told as not switched off; with it *off by policy* |
//! | volume | 7 | it has no output | the volume turned down in the session: *1 cleared*, and it is as before |
//!
//! Also by hand alone, because Wine does half of it: that Kerberos tickets are purged (9: the count is seen, `klist` says
//! none afterwards), that the clipboard's history is emptied (7: with `AllowClipboardHistory` unset and the history on,
//! `Win+V` after the handoff is empty, and the receipt says *cleared*, also of an item that was pinned; an answer of
//! *unknown* keeps the station barred, and is written down), what a junction's target is spared (7: `mklink /J` in the
//! profile's folder, from *Prompt*; its target is untouched), and that mapped drives of a real server go (7: `net use`).
//!
//! # What is shown by neither this nor the tests
//!
//! * That Microsoft's own brokers (WAM, the search index, Recall) keep nothing in a form that nobody has described.
//! * What firmware, drivers and a graphics card keep.
//! * Other editions: on Pro, steps 3 and 4 end otherwise, since there is no Keyboard Filter: `doctor` and every receipt
//!   say *reduced lockdown* there.
