//! Lists of a registry, read to their end: tags of a repository, repositories of a registry.
//!
//! Registries give a page at a time, a hundred names by default, and say with `Link` where the next one is (distribution
//! specification, "Listing Tags"; RFC 8288). The library does not follow it, and whoever believes the first page believes
//! that the rest does not exist.

use std::collections::BTreeSet;

use reqwest::header::LINK;
use reqwest::{Method, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::session::{Ask, Scopes, Session};
use super::{Registry, RegistryError, RegistryErrorKind};
use crate::model::{Invalid, Reference};

/// Names a page. Distribution answers 400 above 1000; some registries give fewer than asked for, which is fine.
const PAGE: usize = 1000;

/// Pages of one list, against a registry that leads in a circle.
const MOST_PAGES: usize = 10_000;

impl Registry {
    /// All tags of a repository (`host/path`), sorted; none when there is no such repository.
    ///
    /// # Errors
    /// As [`Registry::digest`].
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>, RegistryError> {
        #[derive(Deserialize)]
        struct Page {
            // Distribution says null for a repository whose tags were all removed.
            tags: Option<Vec<String>>,
        }
        let doing = format!("listing the tags of {repository}");
        let named: Reference = repository
            .parse()
            .map_err(|error: Invalid| RegistryError::new(RegistryErrorKind::Name, doing.clone(), error.to_string()))?;
        let session = Session::new(self, named.registry())?;
        let scopes = Scopes::pull(named.repository());
        let first = session.url(&format!("{}/tags/list?n={PAGE}", named.repository()));
        let found = pages(&session, first, &scopes, &doing, |page: Page| {
            page.tags.unwrap_or_default()
        })
        .await;
        match found {
            Err(error) if error.kind() == RegistryErrorKind::Missing => Ok(Vec::new()),
            found => found,
        }
    }

    /// All repositories of the registry at `host`, sorted. Not every registry offers it: Docker's own refuses.
    ///
    /// # Errors
    /// As [`Registry::digest`].
    pub async fn catalogue(&self, host: &str) -> Result<Vec<String>, RegistryError> {
        #[derive(Deserialize)]
        struct Page {
            repositories: Option<Vec<String>>,
        }
        let doing = format!("listing the repositories of {host}");
        let session = Session::new(self, host)?;
        let first = session.url(&format!("_catalog?n={PAGE}"));
        let scopes = Scopes::catalogue();
        pages(&session, first, &scopes, &doing, |page: Page| {
            page.repositories.unwrap_or_default()
        })
        .await
    }
}

async fn pages<P: DeserializeOwned>(
    session: &Session,
    first: Url,
    scopes: &Scopes,
    doing: &str,
    names: impl Fn(P) -> Vec<String>,
) -> Result<Vec<String>, RegistryError> {
    let mut all = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut url = first;
    for number in 0..MOST_PAGES {
        if !seen.insert(url.to_string()) {
            return Err(session.strange(doing, format!("page {number} of its list leads back to an earlier one")));
        }
        let answer = session.ask(Ask::new(Method::GET, url, scopes, doing)).await?;
        if answer.status() != 200 {
            return Err(answer.refused(doing).await);
        }
        let next = answer
            .text(LINK.as_str())
            .and_then(|link| next_page(link, answer.url()));
        let bytes = answer.small_body(doing).await?;
        let page: P = serde_json::from_slice(&bytes)
            .map_err(|error| session.strange(doing, format!("its list is not what the specification says: {error}")))?;
        all.extend(names(page));
        match next {
            Some(next) => url = next,
            None => return Ok(all.into_iter().collect()),
        }
    }
    Err(session.strange(doing, format!("its list has more than {MOST_PAGES} pages")))
}

/// The address of `Link: </v2/_catalog?last=x&n=100>; rel="next"`, which may be relative.
pub(super) fn next_page(link: &str, here: &Url) -> Option<Url> {
    let mut rest = link;
    loop {
        let (_, after) = rest.split_once('<')?;
        let (target, after) = after.split_once('>')?;
        let (parameters, more) = after
            .split_once(",<")
            .or_else(|| after.split_once(", <"))
            .map_or((after, None), |(p, _)| (p, Some(&after[p.len()..])));
        let is_next = parameters.split(';').any(|parameter| {
            parameter.trim().split_once('=').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("rel")
                    && value
                        .trim()
                        .trim_matches('"')
                        .split(' ')
                        .any(|word| word.eq_ignore_ascii_case("next"))
            })
        });
        if is_next {
            return here.join(target).ok();
        }
        rest = more?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_in_all_its_forms() {
        let here: Url = "https://a.example:5000/v2/_catalog?n=2".parse().expect("an address");
        for (link, expected) in [
            (
                r#"</v2/_catalog?last=b&n=2>; rel="next""#,
                Some("https://a.example:5000/v2/_catalog?last=b&n=2"),
            ),
            ("<?last=b>; rel=next", Some("https://a.example:5000/v2/_catalog?last=b")),
            (
                r#"<https://b.example/v2/x>; type="x"; REL="next""#,
                Some("https://b.example/v2/x"),
            ),
            (
                r#"<https://b/1>; rel="prev", </2>; rel="next""#,
                Some("https://a.example:5000/2"),
            ),
            (r#"</1>; rel="prev""#, None),
            ("", None),
            ("nonsense", None),
        ] {
            assert_eq!(next_page(link, &here).map(String::from).as_deref(), expected, "{link}");
        }
    }
}
