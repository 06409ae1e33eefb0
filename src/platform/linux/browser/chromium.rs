//! Chromium: its managed policies and its command line. Every policy here is known to Chromium 148 (it says
//! of one that it does not know so in `chrome://policy`).

use serde_json::{Map, Value, json};

use crate::policy::{Site, WebPolicy};

/// Where the managed policies are.
pub(super) const PLACE: &str = "/etc/chromium/policies/managed/cleanshift.json";

/// What a web app's browser is started with.
pub(super) fn arguments(web: &WebPolicy, profile: &str, address: &str) -> Vec<String> {
    let mut arguments = [
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-extensions",
        "--disable-sync",
        "--password-store=gnome-libsecret",
        "--start-maximized",
    ]
    .map(str::to_owned)
    .to_vec();
    if web.zoom != 100 {
        arguments.push(format!("--force-device-scale-factor={}", f64::from(web.zoom) / 100.0));
    }
    arguments.push(format!("--user-data-dir={profile}"));
    arguments.push(format!("--app={address}"));
    arguments
}

/// The managed policies: a web app's, or those of every other browser.
pub(super) fn policies(web: Option<&WebPolicy>) -> String {
    let mut policies = forbidden();
    // What is allowed opens the way to programs for other schemes too, wherever a scheme is left out.
    let mut sites: Vec<_> = web.map_or_else(
        || vec!["http://*".to_owned(), "https://*".to_owned()],
        |web| web.sites.iter().map(pattern).collect(),
    );
    if web.is_some_and(|web| web.printing) {
        // The print dialog and the preview in it are pages of the browser's own.
        sites.extend(["chrome://print", "chrome-untrusted://print"].map(str::to_owned));
    }
    let own = json!({
        // Every scheme: files, source, scripts, data, and programs for others. Those of the browser's own pages
        // have to be named.
        "URLBlocklist": [
            "*", "chrome://*", "chrome-untrusted://*", "chrome-extension://*", "devtools://*", "view-source:*",
            "file://*", "javascript://*", "data:*", "filesystem:*"
        ],
        "URLAllowlist": sites,
        "NewTabPageLocation": web.map_or("about:blank", |web| &web.url),
        "DownloadRestrictions": if web.is_some_and(|web| web.downloads) { 0 } else { 3 },
        "PrintingEnabled": web.is_some_and(|web| web.printing),
    });
    policies.extend(own.as_object().cloned().unwrap_or_default());
    format!("{:#}\n", Value::Object(policies))
}

/// A site as Chromium writes it. A dot before the host means: not the hosts below it.
fn pattern(site: &Site) -> String {
    let dot = if site.below { "" } else { "." };
    format!("{}://{dot}{}:{}", site.scheme, site.host, site.port)
}

/// What is forbidden in every browser of a session.
fn forbidden() -> Map<String, Value> {
    let parts = [ways(), kept(), distractions()];
    parts
        .iter()
        .filter_map(Value::as_object)
        .flatten()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Ways out of the page.
fn ways() -> Value {
    json!({
        // Ways into the browser, and programs beside it (B-02, B-08).
        "DeveloperToolsAvailability": 2,
        "RemoteDebuggingAllowed": false,
        "ExtensionInstallBlocklist": ["*"],
        "ExtensionInstallTypeBlocklist": ["command_line"],
        "ExtensionSettings": { "*": { "installation_mode": "blocked" } },
        "ExtensionDeveloperModeSettings": 1,
        "BlockExternalExtensions": true,
        "NativeMessagingBlocklist": ["*"],
        "NativeMessagingUserLevelHosts": false,
        "WebAppInstallByUserEnabled": false,
        "TaskManagerEndProcessEnabled": false,
        "BackgroundModeEnabled": false,
        "AutoLaunchProtocolsFromOrigins": [],
        "RemoteAccessHostAllowRemoteSupportConnections": false,
        "EnableMediaRouter": false,
        // Ways to files, printers and devices (B-03).
        "AllowFileSelectionDialogs": false,
        "DefaultFileSystemReadGuardSetting": 2,
        "DefaultFileSystemWriteGuardSetting": 2,
        "DefaultSerialGuardSetting": 2,
        "DefaultWebBluetoothGuardSetting": 2,
        "DefaultWebHidGuardSetting": 2,
        "DefaultWebUsbGuardSetting": 2,
        "PrinterTypeDenyList": ["pdf", "extension", "privet", "cloud"],
        "PromptForDownloadLocation": false,
        "AudioCaptureAllowed": false,
        "VideoCaptureAllowed": false,
        "ScreenCaptureAllowed": false,
        "DisableScreenshots": true,
        // Other profiles (B-04).
        "IncognitoModeAvailability": 1,
        "BrowserGuestModeEnabled": false,
        "BrowserAddPersonEnabled": false,
        "ProfilePickerOnStartupAvailability": 1,
    })
}

/// What would be kept, or sent to somebody's account (B-06).
fn kept() -> Value {
    json!({
        "PasswordManagerEnabled": false,
        "PasswordManagerPasskeysEnabled": false,
        "PasswordLeakDetectionEnabled": false,
        "PasswordSharingEnabled": false,
        "AutofillAddressEnabled": false,
        "AutofillCreditCardEnabled": false,
        "PaymentMethodQueryEnabled": false,
        "ImportAutofillFormData": false,
        "ImportBookmarks": false,
        "ImportHistory": false,
        "ImportSavedPasswords": false,
        "ImportSearchEngine": false,
        "BrowserSignin": 0,
        "SyncDisabled": true,
        "SharedClipboardEnabled": false,
        "EditBookmarksEnabled": false,
        "BookmarkBarEnabled": false,
    })
}

/// What speaks with others than the page, and what would come between it and the operator.
fn distractions() -> Value {
    json!({
        "MetricsReportingEnabled": false,
        "UrlKeyedAnonymizedDataCollectionEnabled": false,
        "SafeBrowsingExtendedReportingEnabled": false,
        "DomainReliabilityAllowed": false,
        "ChromeVariations": 2,
        "ComponentUpdatesEnabled": false,
        "NetworkPredictionOptions": 2,
        "AlternateErrorPagesEnabled": false,
        "SearchSuggestEnabled": false,
        "DefaultSearchProviderEnabled": false,
        "SpellCheckServiceEnabled": false,
        "TranslateEnabled": false,
        "WebRtcEventLogCollectionAllowed": false,
        "WebRtcTextLogCollectionAllowed": false,
        "UserFeedbackAllowed": false,
        "FeedbackSurveysEnabled": false,
        "BuiltInAIAPIsEnabled": false,
        "SearchContentSharingSettings": 1,
        "HelpMeWriteSettings": 2,
        "HistorySearchSettings": 2,
        "TabCompareSettings": 2,
        "GeminiSettings": 1,
        "AIModeSettings": 1,
        "DevToolsGenAiSettings": 2,
        "DefaultBrowserSettingEnabled": false,
        "PromotionsEnabled": false,
        "BrowserLabsEnabled": false,
        "DefaultNotificationsSetting": 2,
        "DefaultPopupsSetting": 2,
        "PrivacySandboxPromptEnabled": false,
        "ShoppingListEnabled": false,
        "ShowHomeButton": false,
        "AllowDinosaurEasterEgg": false,
        "HideWebStoreIcon": true,
        "RestoreOnStartup": 5,
        "SSLErrorOverrideAllowed": false,
    })
}
