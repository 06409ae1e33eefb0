-- What wixl loses, or cannot say: one statement a line, carried out by msibuild in this order. {VERSION} is the
-- programs' version, {PACKAGE} the package's; what is to be said of each value of kiosk.tsv is added by msi.py.

-- Component attributes: 256 is 64-bit, 128 never overwrite, 16 permanent: the policy is IT's.
UPDATE `Component` SET `Attributes`=400 WHERE `Component`='Policy'
-- 16 permanent: the state is in there. PURGE takes it away.
UPDATE `Component` SET `Attributes`=272 WHERE `Component`='DataDirectory'

-- A program without its version here would count as older than one that has it, and not be laid anew.
UPDATE `File` SET `Version`='{VERSION}', `Language`='1033' WHERE `File`='cleanshift.exe'
UPDATE `File` SET `Version`='{VERSION}', `Language`='1033' WHERE `File`='cleanshiftctl.exe'
UPDATE `File` SET `Version`='{VERSION}', `Language`='1033' WHERE `File`='cleanshift_service.exe'
DELETE FROM `MsiFileHash` WHERE `File_`='cleanshift.exe'
DELETE FROM `MsiFileHash` WHERE `File_`='cleanshiftctl.exe'
DELETE FROM `MsiFileHash` WHERE `File_`='cleanshift_service.exe'

-- 1 keeps the features, 512 takes the same version for an upgrade too: there would be two of it otherwise.
DELETE FROM `Upgrade` WHERE `ActionProperty`='WIX_UPGRADE_DETECTED'
INSERT INTO `Upgrade` (`UpgradeCode`, `VersionMax`, `Attributes`, `ActionProperty`) VALUES ('{B27D7F2C-5E0F-4C57-9D0B-3C2F6D8A4E11}', '{PACKAGE}', 513, 'WIX_UPGRADE_DETECTED')

-- 16 is Absent="disallow".
UPDATE `Feature` SET `Attributes`=16 WHERE `Feature`='Main'
-- The kiosk that was there is there after an upgrade, unless ADDLOCAL says otherwise.
CREATE TABLE `Condition` (`Feature_` CHAR(38) NOT NULL, `Level` SHORT NOT NULL, `Condition` CHAR(255) PRIMARY KEY `Feature_`, `Level`)
INSERT INTO `Condition` (`Feature_`, `Level`, `Condition`) VALUES ('Kiosk', 1, 'KIOSKWAS')

-- System and administrators do everything; others read, and make directories: the station's account its state, which
-- the programs then keep for it alone. A directory is its maker's. Nobody else lays a policy.
CREATE TABLE `MsiLockPermissionsEx` (`MsiLockPermissionsEx` CHAR(72) NOT NULL, `LockObject` CHAR(72) NOT NULL, `Table` CHAR(32) NOT NULL, `SDDLText` CHAR(0) NOT NULL, `Condition` CHAR(255) PRIMARY KEY `MsiLockPermissionsEx`)
INSERT INTO `MsiLockPermissionsEx` (`MsiLockPermissionsEx`, `LockObject`, `Table`, `SDDLText`) VALUES ('DataDirectory', 'DATADIR', 'CreateFolder', 'D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICIIO;FA;;;CO)(A;OICI;0x1200a9;;;BU)(A;;0x4;;;BU)')

-- 34 is a command line, with a directory to start in; 1024 deferred; 2048 as the system; 64 whatever it ends with, 128
-- without waiting for it. System64Folder is the real system32: by SystemFolder nothing happened.
-- Doctor's report is for IT to read. It never holds up or fails an installation.
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('DoctorReport', 3298, 'System64Folder', '"[System64Folder]cmd.exe" /c ""[INSTALLDIR]cleanshiftctl.exe" doctor > "[DATADIR]doctor.txt" 2>&1"')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('DoctorReport', 'NOT REMOVE="ALL"', 6590)
-- 2 removes it when the component goes.
INSERT INTO `RemoveFile` (`FileKey`, `Component_`, `FileName`, `DirProperty`, `InstallMode`) VALUES ('DoctorText', 'Ctl', 'doctor.txt', 'DATADIR', 2)
-- The service is made where STATIONACCOUNT says for whom and there is none, runs again after an upgrade, and goes with the package and
-- with the accounts that it made; one that cannot be deleted does not hold up the rest. Before RemoveFiles, at 3500.
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('ServiceMade', 3106, 'System64Folder', '"[System64Folder]cmd.exe" /c ""[System64Folder]sc.exe" query CleanshiftService >nul & if errorlevel 1 "[INSTALLDIR]cleanshift-service.exe" install "[STATIONACCOUNT]""')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('ServiceMade', 'STATIONACCOUNT AND NOT REMOVE="ALL"', 5901)
-- What goes for a newer package takes the service along where it is not told what it goes for: it is made again, for the same account.
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('ServiceKept', 3106, 'System64Folder', '"[System64Folder]cmd.exe" /c ""[System64Folder]sc.exe" query CleanshiftService >nul & if errorlevel 1 "[INSTALLDIR]cleanshift-service.exe" install "[ACCOUNTWAS]""')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('ServiceKept', 'ACCOUNTWAS AND NOT STATIONACCOUNT AND NOT REMOVE="ALL"', 5902)
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('ServiceAgain', 3170, 'System64Folder', '"[System64Folder]sc.exe" start CleanshiftService')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('ServiceAgain', 'SERVICEWAS AND NOT REMOVE="ALL"', 5903)
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('ServiceGone', 3170, 'System64Folder', '"[INSTALLDIR]cleanshift-service.exe" remove')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('ServiceGone', 'SERVICEWAS AND REMOVE="ALL" AND NOT UPGRADINGPRODUCTCODE', 3490)
-- Removing a value leaves none, and Windows would start without any shell.
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('ExplorerBack', 3106, 'System64Folder', '"[System64Folder]reg.exe" add "HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon" /v Shell /t REG_SZ /d explorer.exe /f')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('ExplorerBack', '(KIOSKWAS AND (REMOVE="ALL" OR REMOVE><"Kiosk")) OR (!Kiosk=3 AND &Kiosk=2)', 2601)
-- The state and the policy go where this is asked for; where they could not go, the uninstallation says so by failing.
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('Purge', 3106, 'System64Folder', '"[System64Folder]cmd.exe" /c rd /s /q "[CommonAppDataFolder]Cleanshift" & if exist "[CommonAppDataFolder]Cleanshift" exit 1')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('Purge', 'REMOVE="ALL" AND PURGE="1" AND NOT UPGRADINGPRODUCTCODE', 3701)
