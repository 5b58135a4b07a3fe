//! What stands in addresses, checked with sentences: numbers of builds, filters, pages.
//!
//! A form sends the fields that were left empty too; an empty value is none.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::encode::with_query;
use super::error::{Error, Result};
use crate::maven::range::{BadRange, Selector};
use crate::model::{BuildId, DeliveryId, Pins, PromotionId};
use crate::store::{builds, deliveries, promotions};

/// Rows of a page, if the asker does not say.
const PAGE: i64 = 50;
/// Rows that one request gets at most.
const LONGEST_PAGE: i64 = 500;
/// Shorter beginnings of a commit id name too many.
pub(super) const SHORTEST_COMMIT: usize = 7;

/// The query of a request; one that cannot be read is told as our errors are.
pub(super) struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let query = Query::from_request_parts(parts, state).await;
        query
            .map(|Query(query)| Self(query))
            .map_err(|error| Error::Invalid(error.body_text()))
    }
}

/// The number in `/builds/{id}`.
pub(super) fn build_id(text: &str) -> Result<BuildId> {
    let id = text.parse().ok().filter(|id: &i64| *id > 0);
    id.map(BuildId).ok_or_else(|| {
        Error::NotFound(format!(
            "there is no build {text:?}: builds have numbers, for example 12"
        ))
    })
}

/// The id in `/deliveries/{id}`.
pub(super) fn delivery_id(text: &str) -> Result<DeliveryId> {
    text.parse()
        .map(DeliveryId)
        .map_err(|_| Error::NotFound(format!("there is no delivery {text:?}: the id has the form of a UUID")))
}

/// The number in `/promotions/{id}`.
pub(super) fn promotion_id(text: &str) -> Result<PromotionId> {
    let id = text.parse().ok().filter(|id: &i64| *id > 0);
    id.map(PromotionId).ok_or_else(|| {
        Error::NotFound(format!(
            "there is no promotion {text:?}: promotions have numbers, for example 12"
        ))
    })
}

/// A body in JSON; one that cannot be read is told as our errors are.
pub(super) struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let body = Json::from_request(request, state).await;
        body.map(|Json(body)| Self(body))
            .map_err(|error: JsonRejection| Error::Invalid(error.body_text()))
    }
}

/// Query of a list of promotions.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct PromotionQuery {
    pub application: Option<String>,
    pub environment: Option<String>,
    pub state: Option<String>,
    pub digest: Option<String>,
    pub before: Option<String>,
    pub limit: Option<String>,
}

impl PromotionQuery {
    pub fn filter(&self) -> Result<promotions::Filter> {
        let own = |field: &Option<String>| given(field).map(str::to_owned);
        Ok(promotions::Filter {
            application: own(&self.application),
            environment: own(&self.environment),
            state: given(&self.state)
                .map(str::parse)
                .transpose()
                .map_err(invalid("state"))?,
            digest: given(&self.digest)
                .map(str::parse)
                .transpose()
                .map_err(invalid("digest"))?,
            active: false,
            before: number("before", &self.before, "a promotion's number")?.map(PromotionId),
        })
    }

    pub fn limit(&self) -> Result<i64> {
        limit(&self.limit)
    }

    pub fn link(&self, path: &str, before: Option<PromotionId>) -> String {
        let own = |field: &Option<String>| given(field).map(str::to_owned);
        with_query(
            path,
            [
                ("application", own(&self.application)),
                ("environment", own(&self.environment)),
                ("state", own(&self.state)),
                ("digest", own(&self.digest)),
                ("limit", own(&self.limit)),
                ("before", before.map(|id| id.to_string())),
            ],
        )
    }
}

/// Query of the audit trail.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct AuditQuery {
    pub after: Option<String>,
}

impl AuditQuery {
    pub fn after(&self) -> Result<i64> {
        Ok(number("after", &self.after, "a row's number")?.unwrap_or(0))
    }
}

/// Query of a comparison of two images.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct DiffQuery {
    pub from: String,
    pub to: String,
}

/// Query of the figures of quality.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct QualityQuery {
    pub days: Option<String>,
}

impl QualityQuery {
    pub fn days(&self) -> Result<i64> {
        let days = number("days", &self.days, "a number of days, for example 180")?.unwrap_or(180);
        match days {
            1..=36_500 => Ok(days),
            _ => Err(Error::Invalid(format!(
                "days={days}: write a number of days from 1 to 36500"
            ))),
        }
    }
}

/// Query of a rebuild.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct RebuildQuery {
    pub target_tip: Option<String>,
    pub base: Option<String>,
}

impl RebuildQuery {
    /// What the build takes as it was once; both or nothing.
    pub fn pins(&self) -> Result<Option<Pins>> {
        match (given(&self.target_tip), given(&self.base)) {
            (None, None) => Ok(None),
            (Some(tip), Some(base)) => Ok(Some(Pins {
                target_tip: tip.parse().map_err(invalid("target_tip"))?,
                base: base.parse().map_err(invalid("base"))?,
            })),
            _ => Err(Error::Invalid(
                "target_tip and base belong together: give both, or none to build with what is there now".to_owned(),
            )),
        }
    }
}

/// Query of a list of builds.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct BuildQuery {
    pub project: Option<String>,
    pub state: Option<String>,
    pub iid: Option<String>,
    pub commit: Option<String>,
    pub before: Option<String>,
    pub limit: Option<String>,
}

impl BuildQuery {
    pub fn filter(&self) -> Result<builds::Filter> {
        let project = given(&self.project);
        let state = given(&self.state);
        Ok(builds::Filter {
            project: project.map(str::parse).transpose().map_err(invalid("project"))?,
            state: state.map(str::parse).transpose().map_err(invalid("state"))?,
            iid: number("iid", &self.iid, "a merge request's number without its `!`")?,
            commit: given(&self.commit).map(commit).transpose()?,
            before: number("before", &self.before, "a build's number")?.map(BuildId),
        })
    }

    pub fn limit(&self) -> Result<i64> {
        limit(&self.limit)
    }

    /// Is anything filtered? The page of the list does not count.
    pub fn is_filtered(&self) -> bool {
        [&self.project, &self.state, &self.iid, &self.commit]
            .into_iter()
            .any(|field| given(field).is_some())
    }

    /// The same query, from another build on.
    pub fn link(&self, path: &str, before: Option<BuildId>) -> String {
        let own = |field: &Option<String>| given(field).map(str::to_owned);
        with_query(
            path,
            [
                ("project", own(&self.project)),
                ("state", own(&self.state)),
                ("iid", own(&self.iid)),
                ("commit", own(&self.commit)),
                ("limit", own(&self.limit)),
                ("before", before.map(|id| id.to_string())),
            ],
        )
    }
}

/// Query of a list of deliveries.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct DeliveryQuery {
    pub decision: Option<String>,
    pub before: Option<String>,
    pub limit: Option<String>,
}

impl DeliveryQuery {
    pub fn filter(&self) -> Result<deliveries::Filter> {
        let decision = given(&self.decision);
        if let Some(decision) = decision
            && !matches!(decision, "build" | "ignored" | "waiting")
        {
            return Err(Error::Invalid(format!(
                "decision={decision}: write build, ignored or waiting"
            )));
        }
        let before = given(&self.before).map(|before| {
            let parsed = before.parse().map(DeliveryId);
            parsed.map_err(|_| Error::Invalid(format!("before={before}: write the id of a delivery")))
        });
        Ok(deliveries::Filter {
            decision: decision.map(str::to_owned),
            before: before.transpose()?,
        })
    }

    pub fn limit(&self) -> Result<i64> {
        limit(&self.limit)
    }

    pub fn link(&self, path: &str, before: Option<DeliveryId>) -> String {
        let own = |field: &Option<String>| given(field).map(str::to_owned);
        with_query(
            path,
            [
                ("decision", own(&self.decision)),
                ("limit", own(&self.limit)),
                ("before", before.map(|id| id.to_string())),
            ],
        )
    }
}

/// Query of a list of images.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct ImageQuery {
    pub with: Option<String>,
    pub limit: Option<String>,
}

impl ImageQuery {
    pub fn with(&self) -> Result<Selector> {
        let Some(with) = given(&self.with) else {
            return Err(Error::Invalid(
                "say which library: ?with=group:artifact, and behind it its versions, for example \
                 org.apache.logging.log4j:log4j-core<2.17.1"
                    .to_owned(),
            ));
        };
        with.parse()
            .map_err(|error: BadRange| Error::Invalid(format!("with={with}: {error}")))
    }

    pub fn limit(&self) -> Result<i64> {
        limit(&self.limit)
    }
}

/// The value of a field that is not empty.
pub(super) fn given(field: &Option<String>) -> Option<&str> {
    field.as_deref().map(str::trim).filter(|value| !value.is_empty())
}

/// A whole number that is not negative.
pub(super) fn number(name: &str, field: &Option<String>, what: &str) -> Result<Option<i64>> {
    given(field)
        .map(|value| {
            let parsed = value.parse().ok().filter(|number: &i64| *number >= 0);
            parsed.ok_or_else(|| Error::Invalid(format!("{name}={value}: write {what}")))
        })
        .transpose()
}

fn limit(field: &Option<String>) -> Result<i64> {
    let limit = number("limit", field, "a number of rows from 1 to 500")?.unwrap_or(PAGE);
    Ok(limit.clamp(1, LONGEST_PAGE))
}

/// The beginning of a commit id, in lower case.
pub(super) fn commit(text: &str) -> Result<String> {
    let digits = text.to_ascii_lowercase();
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !hex || digits.len() > 64 {
        return Err(Error::Invalid(format!(
            "{text:?} is no commit: write its hexadecimal digits"
        )));
    }
    if digits.len() < SHORTEST_COMMIT {
        return Err(Error::Invalid(format!(
            "{text} is too short for a commit: write at least {SHORTEST_COMMIT} of its digits"
        )));
    }
    Ok(digits)
}

fn invalid<E: std::fmt::Display>(name: &'static str) -> impl Fn(E) -> Error {
    move |error| Error::Invalid(format!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_fields_of_a_form_filter_nothing() {
        let empty = Some(" ".to_owned());
        let query = BuildQuery {
            project: empty.clone(),
            state: empty.clone(),
            iid: empty.clone(),
            commit: empty.clone(),
            before: empty.clone(),
            limit: empty,
        };
        let filter = query.filter().expect("nothing is wrong with it");
        assert!(filter.project.is_none() && filter.state.is_none() && filter.iid.is_none() && filter.commit.is_none());
        assert!(!query.is_filtered());
        assert_eq!(query.limit().expect("the default"), PAGE);
        assert_eq!(query.link("/", None), "/");
    }

    #[test]
    fn what_cannot_be_a_filter_is_said() {
        let query = BuildQuery {
            commit: Some("abc".to_owned()),
            ..BuildQuery::default()
        };
        let error = query.filter().expect_err("too short").to_string();
        assert_eq!(error, "abc is too short for a commit: write at least 7 of its digits");
        let query = BuildQuery {
            state: Some("green".to_owned()),
            ..BuildQuery::default()
        };
        let error = query.filter().expect_err("no state").to_string();
        assert!(error.contains("green") && error.contains("passed"), "{error}");
    }
}
