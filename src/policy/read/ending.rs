//! How what a session holds elsewhere is ended, and which apps ask for the PIN again.

use serde::Deserialize as _;
use serde::de::IntoDeserializer;
use serde::de::value::Error;
use toml::Spanned;

use super::{Check, File, in_words};
use crate::handoff::{Late, SignInRules};
use crate::policy::file::{App, LateWord, Time};

/// How long a farewell may take behind the cover, milliseconds. A browser that runs is told of a page in 0.4 s
/// (Chromium) to 1.8 s (Firefox, on a busy machine).
const FAREWELL: u64 = 3_000;
/// How long the end of everything elsewhere is waited for where nothing else is said, milliseconds.
const AFTER: u64 = 2_000;
/// The least and the most of that: a takeover waits for it.
const AFTERS: (u64, u64) = (200, 30_000);
/// How long a station is held where nothing else is said, milliseconds.
const LONGEST: u64 = 12 * 3_600_000;
/// The least and the most of that.
const LONGESTS: (u64, u64) = (60_000, 7 * 86_400_000);
/// The least and the most of how old a PIN may be before an app asks for it again, milliseconds.
const AGES: (u64, u64) = (60_000, 12 * 3_600_000);

impl Check {
    /// How what a session holds elsewhere is ended; `None` where it holds nothing.
    pub(super) fn ending(&mut self, file: &File, holds_anything: bool) -> Option<SignInRules> {
        let revoke = &file.revoke;
        let after = self.time(revoke.after.as_ref(), AFTER, AFTERS, "after");
        let longest = self.time(revoke.longest.as_ref(), LONGEST, LONGESTS, "longest");
        let late = match revoke.late {
            LateWord::Open => {
                if let Some(given) = &revoke.longest {
                    let help = "write late = \"hold\" to hold it, or remove `longest`";
                    self.wrong(given.span(), "a station that opens late is held for no time", help);
                }
                Late::Open { after }
            }
            LateWord::Hold => {
                if let Some(given) = &revoke.after {
                    let help = "write late = \"open\" to open after that time, or remove `after`";
                    self.wrong(given.span(), "a station that is held does not open by itself", help);
                }
                Late::Hold { longest }
            }
        };
        holds_anything.then_some(SignInRules { farewell: FAREWELL, late })
    }

    /// How old the PIN may be before this app asks for it again, milliseconds; 0 where it always asks.
    pub(super) fn reverify(&mut self, app: &App) -> Option<u64> {
        let given: &Spanned<String> = app.reverify.as_ref()?;
        if given.get_ref() == "PIN" {
            return Some(0);
        }
        let text: serde::de::value::StrDeserializer<'_, Error> = given.get_ref().as_str().into_deserializer();
        match Time::deserialize(text) {
            Ok(Time(age)) if (AGES.0..=AGES.1).contains(&age) => Some(age),
            Ok(_) => {
                let help =
                    format!("write {} to {}, or \"PIN\" to ask always", in_words(AGES.0), in_words(AGES.1));
                self.wrong(given.span(), "`reverify` is out of range", help);
                None
            }
            Err(_) => {
                let help = "write \"PIN\" to ask always, or how old it may be: \"10 min\"";
                self.wrong(
                    given.span(),
                    format!("`{}` is no way to ask for the PIN again", given.get_ref()),
                    help,
                );
                None
            }
        }
    }
}
