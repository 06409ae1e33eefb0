//! The permitted apps of a policy.

use std::path::PathBuf;

use toml::Spanned;

use super::{Check, File, Many, nearest};
use crate::policy::{AppPolicy, WebPolicy};

/// The icons of the embedded set that say something about an app.
pub const ICONS: [&str; 18] = [
    "app",
    "badge",
    "book",
    "calculator",
    "chart",
    "clock",
    "gauge",
    "globe",
    "image",
    "info",
    "key",
    "log",
    "mail",
    "person",
    "phone",
    "pill",
    "terminal",
    "wrench",
];

impl Check {
    fn icon(&mut self, icon: &Spanned<String>) {
        let name = icon.get_ref().as_str();
        if ICONS.contains(&name) || (is_absolute(name) && name.ends_with(".svg")) {
            return;
        }
        let help = match nearest(name, ICONS.into_iter()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write the absolute path of an SVG file, or one of: {}", ICONS.join(", ")),
        };
        self.wrong(icon.span(), format!("there is no icon `{name}`"), help);
    }

    pub(super) fn apps(&mut self, file: &File) -> Vec<AppPolicy> {
        if let Some(app) = file.apps.get(255) {
            self.wrong(app.name.span(), "there are more than 255 apps", "remove some");
        }
        let mut names: Vec<&str> = Vec::new();
        for app in &file.apps {
            self.plain(&app.name);
            if names.contains(&app.name.get_ref().as_str()) {
                self.wrong(
                    app.name.span(),
                    format!("app `{}` is there twice", app.name.get_ref()),
                    "give each its own name",
                );
            }
            names.push(app.name.get_ref());
            if let Some(icon) = &app.icon {
                self.icon(icon);
            }
            for argument in &app.arguments {
                if argument.get_ref().starts_with("--no-sandbox") {
                    let help = "remove it: the capsule leaves the browser's own sandbox on";
                    self.wrong(argument.span(), "this argument switches the browser's own sandbox off", help);
                }
            }
            if let Some(profile) = &app.profile {
                self.absolute(profile);
            }
        }
        let apps = file.apps.iter().enumerate().map(|(place, app)| {
            let web = self.web(app).map(|web| WebPolicy { profile: format!("web-{place}"), ..web });
            let given = || app.command.as_ref().map(|command| command.get_ref().clone());
            let command = web.as_ref().map(|web| web.browser.command().to_owned()).or_else(given);
            let icon = if web.is_some() { "globe" } else { "app" };
            AppPolicy {
                name: app.name.get_ref().clone(),
                icon: app.icon.as_ref().map_or_else(|| icon.to_owned(), |icon| icon.get_ref().clone()),
                command: command.unwrap_or_default(),
                arguments: app.arguments.iter().map(|argument| argument.get_ref().clone()).collect(),
                single: app.windows == Many::Single,
                environment: app.environment.clone().into_iter().collect(),
                profile: app.profile.as_ref().map(|profile| PathBuf::from(profile.get_ref())),
                network: app.network || web.is_some(),
                web,
            }
        });
        apps.collect()
    }
}

/// Whether a path is absolute on one of the systems, and goes nowhere back: a policy is checked on any of them.
pub(super) fn is_absolute(path: &str) -> bool {
    let drive = path.split_once(":\\").is_some_and(|(drive, _)| {
        drive.len() == 1 && drive.starts_with(|letter: char| letter.is_ascii_alphabetic())
    });
    if drive {
        !path.split(['/', '\\']).any(|part| part == "..")
    } else {
        path.starts_with('/') && !path.contains("/../")
    }
}
