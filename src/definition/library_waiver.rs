//! `[[waiver]]` for a library: a ban or a known vulnerability that does not count for a while.

use std::ops::Range;

use chrono::NaiveDate;
use serde::Serialize;

use super::Ban;
use super::reader::Reader;
use super::value::{date, line, parsed, placed};
use crate::maven::range::Selector;
use crate::model::{Component, WaiverNote};

/// What a waiver sets aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Waives {
    /// Every ban of the library, or the one whose `library` is written so.
    Ban(Option<String>),
    /// A known vulnerability, by its id or another of its names. Never all of a library: a new one must be seen.
    Advisory(String),
}

/// A permission to hold a library for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LibraryWaiver {
    /// Which library, in which versions.
    pub library: Selector,
    /// What is set aside.
    pub waives: Waives,
    /// Why.
    pub reason: String,
    /// Whom to ask.
    pub owner: String,
    /// The last day (UTC) on which it holds.
    pub last_day: NaiveDate,
    /// Where `ban` stands in the file, to be looked up among the bans.
    #[serde(skip)]
    pub(super) ban_place: Option<Range<usize>>,
}

impl LibraryWaiver {
    /// One that stands in no file.
    pub fn new(
        library: Selector,
        waives: Waives,
        reason: impl Into<String>,
        owner: impl Into<String>,
        last_day: NaiveDate,
    ) -> Self {
        Self {
            library,
            waives,
            reason: reason.into(),
            owner: owner.into(),
            last_day,
            ban_place: None,
        }
    }

    /// Is it for this ban of this library?
    pub fn covers_ban(&self, component: &Component, ban: &Ban) -> bool {
        let named = match &self.waives {
            Waives::Ban(None) => true,
            Waives::Ban(Some(written)) => *written == ban.library.to_string(),
            Waives::Advisory(_) => false,
        };
        named && self.library.selects(component)
    }

    /// Is it for this vulnerability, by any of its names, of this library?
    pub fn covers_advisory(&self, component: &Component, names: &[String]) -> bool {
        let named = match &self.waives {
            Waives::Advisory(advisory) => names.iter().any(|name| name.eq_ignore_ascii_case(advisory)),
            Waives::Ban(_) => false,
        };
        named && self.library.selects(component)
    }

    /// Does it hold on this day?
    pub fn holds(&self, today: NaiveDate) -> bool {
        today <= self.last_day
    }

    /// What it is for, in a few words: `CVE-2021-44228 of group:artifact`.
    pub fn what(&self) -> String {
        match &self.waives {
            Waives::Ban(None) => format!("bans of {}", self.library),
            Waives::Ban(Some(ban)) => format!("the ban {ban} of {}", self.library),
            Waives::Advisory(advisory) => format!("{advisory} of {}", self.library),
        }
    }

    /// As reports tell it.
    pub fn note(&self) -> WaiverNote {
        WaiverNote {
            path: self.what(),
            reason: self.reason.clone(),
            owner: self.owner.clone(),
            last_day: self.last_day,
        }
    }
}

/// The rest of a table `[[waiver]]` whose rule is one of libraries.
pub(super) fn read_library_waiver(mut table: Reader<'_, '_>, for_ban: bool) -> Option<LibraryWaiver> {
    let library = table.required("library", parsed(str::parse::<Selector>));
    let (waives, ban_place) = if for_ban {
        // Read as a ban is, so that both are written alike.
        match table.optional("ban", placed(parsed(str::parse::<Selector>))) {
            Some((ban, place)) => (Some(Waives::Ban(Some(ban.to_string()))), Some(place)),
            None => (Some(Waives::Ban(None)), None),
        }
    } else {
        (table.required("advisory", line).map(Waives::Advisory), None)
    };
    let reason = table.required("reason", line);
    let owner = table.required("owner", line);
    let last_day = table.required("last_day", date);
    table.finish();
    Some(LibraryWaiver {
        ban_place,
        ..LibraryWaiver::new(library?, waives?, reason?, owner?, last_day?)
    })
}
