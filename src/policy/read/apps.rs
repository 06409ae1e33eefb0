//! The permitted apps of a policy.

use std::path::PathBuf;

use toml::Spanned;

use super::{Check, File, Many, nearest};
use crate::policy::AppPolicy;

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
        if ICONS.contains(&name) || (name.starts_with('/') && name.ends_with(".svg")) {
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
            let command = app.command.get_ref();
            if command.is_empty() || (command.contains('/') && !command.starts_with('/')) {
                let help = "write an absolute path, or the name of a program in /usr/bin";
                self.wrong(app.command.span(), format!("`{command}` names no program"), help);
            }
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
        let apps = file.apps.iter().map(|app| AppPolicy {
            name: app.name.get_ref().clone(),
            icon: app.icon.as_ref().map_or_else(|| "app".to_owned(), |icon| icon.get_ref().clone()),
            command: app.command.get_ref().clone(),
            arguments: app.arguments.iter().map(|argument| argument.get_ref().clone()).collect(),
            single: app.windows == Many::Single,
            environment: app.environment.clone().into_iter().collect(),
            profile: app.profile.as_ref().map(|profile| PathBuf::from(profile.get_ref())),
            network: app.network,
        });
        apps.collect()
    }
}
