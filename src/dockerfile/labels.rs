//! A [`Description`] as labels, and back.
//!
//! All labels are given to the engine beside the Dockerfile and none stands in its text: one of them holds the text, and
//! the API takes values verbatim, so nothing needs escaping. Keys of the OCI image specification (annotations.md) say
//! what every tool understands; ours stand under `dev.seaworthy.`.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};

use super::description::{BaseImage, Description, MergeRequestOrigin, WarOrigin};
use super::embed::{embed, extract};
use crate::model::{BuildId, Digest, DockerfileException, ProjectId, TestCounts};

/// Why the labels of an image do not describe it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DescribeError {
    /// Nothing of ours is on it.
    #[error("this image was not made by Seaworthy: it lacks the label {SCHEMA}")]
    NotOurs,
    /// A later version changed the meaning of the labels.
    #[error(
        "this image was made by another version of Seaworthy (label {SCHEMA} is {found:?}, this program reads {SCHEMA_VERSION:?}): update it"
    )]
    OtherSchema {
        /// Value of the label.
        found: String,
    },
    /// Somebody changed or removed a label.
    #[error("the labels of this image are damaged: {label} {reason}")]
    Damaged {
        /// Key of the label.
        label: String,
        /// What is wrong with it.
        reason: String,
    },
}

const OURS: &str = "dev.seaworthy.";
const OCI: &str = "org.opencontainers.image.";
const SCHEMA: &str = "dev.seaworthy.schema";
/// Changes when a label changes its meaning, not when one is added.
const SCHEMA_VERSION: &str = "1";
const DOCKERFILE: &str = "dev.seaworthy.dockerfile";

const TITLE: &str = "org.opencontainers.image.title";
const VERSION: &str = "org.opencontainers.image.version";
const VENDOR: &str = "org.opencontainers.image.vendor";
const CREATED: &str = "org.opencontainers.image.created";
const SOURCE: &str = "org.opencontainers.image.source";
const REVISION: &str = "org.opencontainers.image.revision";
const BASE_NAME: &str = "org.opencontainers.image.base.name";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
const OCI_URL: &str = "org.opencontainers.image.url";
const OCI_AUTHORS: &str = "org.opencontainers.image.authors";
const OCI_DESCRIPTION: &str = "org.opencontainers.image.description";

const BUILD: &str = "dev.seaworthy.build";
const PIPELINE: &str = "dev.seaworthy.pipeline";
const PIPELINE_HASH: &str = "dev.seaworthy.pipeline.sha256";
const STACK: &str = "dev.seaworthy.stack";
const STACK_EVIDENCE: &str = "dev.seaworthy.stack.evidence";
const MR_PROJECT: &str = "dev.seaworthy.merge-request.project";
const MR_PROJECT_ID: &str = "dev.seaworthy.merge-request.project-id";
const MR_IID: &str = "dev.seaworthy.merge-request.iid";
const MR_TITLE: &str = "dev.seaworthy.merge-request.title";
const MR_URL: &str = "dev.seaworthy.merge-request.url";
const MR_AUTHOR: &str = "dev.seaworthy.merge-request.author";
const MR_USERNAME: &str = "dev.seaworthy.merge-request.author-username";
const MR_HEAD: &str = "dev.seaworthy.merge-request.head";
const TARGET_BRANCH: &str = "dev.seaworthy.target.branch";
const TARGET_TIP: &str = "dev.seaworthy.target.tip";
const MERGE_TREE: &str = "dev.seaworthy.merge-tree";
const TESTS_RUN: &str = "dev.seaworthy.tests.run";
const TESTS_FAILED: &str = "dev.seaworthy.tests.failed";
const TESTS_ERRORS: &str = "dev.seaworthy.tests.errors";
const TESTS_SKIPPED: &str = "dev.seaworthy.tests.skipped";
const SBOM: &str = "dev.seaworthy.sbom";
const FINDINGS: &str = "dev.seaworthy.findings";
const WAIVERS: &str = "dev.seaworthy.waivers";
const WAR_PATH: &str = "dev.seaworthy.war.path";
const BOOT_CHECK: &str = "dev.seaworthy.boot-check";
const WAR_SHA256: &str = "dev.seaworthy.war.sha256";
const EXCEPTION: &str = "dev.seaworthy.exception";
const EXCEPTION_REASON: &str = "dev.seaworthy.exception.reason";
const EXCEPTION_OWNER: &str = "dev.seaworthy.exception.owner";
const EXCEPTION_LAST_DAY: &str = "dev.seaworthy.exception.last-day";

/// The labels of an image. `inherited` are the base's: a label cannot be taken away, so the keys of the specification
/// and ours that would say something of the *base* are made empty.
pub fn labels(description: &Description, inherited: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> = inherited
        .keys()
        .filter(|key| key.starts_with(OCI) || key.starts_with(OURS))
        .map(|key| (key.clone(), String::new()))
        .collect();
    let mr = &description.merge_request;
    let tests = description.tests;
    let values: [(&str, String); 38] = [
        (SCHEMA, SCHEMA_VERSION.to_owned()),
        (TITLE, description.application.clone()),
        (VERSION, description.version.clone()),
        (VENDOR, description.vendor.clone()),
        (CREATED, description.created.to_rfc3339_opts(SecondsFormat::Secs, true)),
        (SOURCE, without_credentials(&description.source)),
        (REVISION, mr.head.to_string()),
        (BASE_NAME, description.base.name.clone()),
        (BASE_DIGEST, description.base.digest.to_string()),
        (OCI_URL, without_credentials(&mr.url)),
        (OCI_AUTHORS, mr.author.clone()),
        (OCI_DESCRIPTION, format!("{} {}", mr.full_mark(), mr.title)),
        (BUILD, description.build.to_string()),
        (PIPELINE, description.pipeline.clone()),
        (PIPELINE_HASH, description.pipeline_hash.to_string()),
        (STACK, description.stack.clone()),
        (STACK_EVIDENCE, description.stack_evidence.clone()),
        (MR_PROJECT, mr.project.to_string()),
        (MR_PROJECT_ID, mr.project_id.to_string()),
        (MR_IID, mr.iid.map(|iid| iid.to_string()).unwrap_or_default()),
        (MR_TITLE, mr.title.clone()),
        (MR_URL, without_credentials(&mr.url)),
        (MR_AUTHOR, mr.author.clone()),
        (MR_USERNAME, mr.author_username.clone()),
        (MR_HEAD, mr.head.to_string()),
        (TARGET_BRANCH, mr.target_branch.clone()),
        (TARGET_TIP, mr.target_tip.to_string()),
        (MERGE_TREE, mr.merge_tree.to_string()),
        (TESTS_RUN, tests.run.to_string()),
        (TESTS_FAILED, tests.failed.to_string()),
        (TESTS_ERRORS, tests.errors.to_string()),
        (TESTS_SKIPPED, tests.skipped.to_string()),
        (FINDINGS, description.findings.clone()),
        (WAIVERS, description.waivers.clone()),
        (
            SBOM,
            description.sbom.as_ref().map(Digest::to_string).unwrap_or_default(),
        ),
        (WAR_PATH, description.war.path.clone()),
        (WAR_SHA256, description.war.sha256.to_string()),
        (BOOT_CHECK, if description.boot_check { "on" } else { "off" }.to_owned()),
    ];
    labels.extend(values.map(|(key, value)| (key.to_owned(), value)));
    // Only where there is one: each label is a line in the configuration of every image.
    if let Some(exception) = &description.exception {
        let values = [
            (EXCEPTION, exception.path.clone()),
            (EXCEPTION_REASON, exception.reason.clone()),
            (EXCEPTION_OWNER, exception.owner.clone()),
            (EXCEPTION_LAST_DAY, exception.last_day.to_string()),
        ];
        labels.extend(values.map(|(key, value)| (key.to_owned(), value)));
    }
    embed(DOCKERFILE, &description.dockerfile, &mut labels);
    labels
}

/// Nothing where the label is missing or was a base's.
fn exception(labels: &BTreeMap<String, String>) -> Result<Option<DockerfileException>, DescribeError> {
    match labels.get(EXCEPTION).map(String::as_str) {
        None | Some("") => Ok(None),
        Some(path) => Ok(Some(DockerfileException {
            path: path.to_owned(),
            reason: text(labels, EXCEPTION_REASON)?,
            owner: text(labels, EXCEPTION_OWNER)?,
            last_day: parse(labels, EXCEPTION_LAST_DAY)?,
        })),
    }
}

/// Reads the labels in an image's configuration.
///
/// # Errors
/// An image that is not ours, of another version, or whose labels do not hold together.
pub fn describe(labels: &BTreeMap<String, String>) -> Result<Description, DescribeError> {
    match labels.get(SCHEMA).map(String::as_str) {
        // Empty: built upon an image of ours by somebody else's means, or cleared above.
        None | Some("") => return Err(DescribeError::NotOurs),
        Some(SCHEMA_VERSION) => {}
        Some(other) => {
            return Err(DescribeError::OtherSchema {
                found: other.to_owned(),
            });
        }
    }
    Ok(Description {
        application: text(labels, TITLE)?,
        version: text(labels, VERSION)?,
        vendor: text(labels, VENDOR)?,
        created: parse::<DateTime<Utc>>(labels, CREATED)?,
        source: text(labels, SOURCE)?,
        build: BuildId(parse(labels, BUILD)?),
        pipeline: text(labels, PIPELINE)?,
        pipeline_hash: parse(labels, PIPELINE_HASH)?,
        stack: text(labels, STACK)?,
        // Images of earlier versions do not have it.
        stack_evidence: labels.get(STACK_EVIDENCE).cloned().unwrap_or_default(),
        merge_request: MergeRequestOrigin {
            project: parse(labels, MR_PROJECT)?,
            project_id: ProjectId(parse(labels, MR_PROJECT_ID)?),
            // Empty: it was made from a push to the trunk.
            iid: match text(labels, MR_IID)?.as_str() {
                "" => None,
                _ => Some(parse(labels, MR_IID)?),
            },
            title: text(labels, MR_TITLE)?,
            url: text(labels, MR_URL)?,
            author: text(labels, MR_AUTHOR)?,
            author_username: text(labels, MR_USERNAME)?,
            head: parse(labels, MR_HEAD)?,
            target_branch: text(labels, TARGET_BRANCH)?,
            target_tip: parse(labels, TARGET_TIP)?,
            merge_tree: parse(labels, MERGE_TREE)?,
        },
        tests: TestCounts {
            run: parse(labels, TESTS_RUN)?,
            failed: parse(labels, TESTS_FAILED)?,
            errors: parse(labels, TESTS_ERRORS)?,
            skipped: parse(labels, TESTS_SKIPPED)?,
        },
        // Younger than the others: an older image has none.
        findings: labels.get(FINDINGS).cloned().unwrap_or_default(),
        waivers: labels.get(WAIVERS).cloned().unwrap_or_default(),
        sbom: match labels.get(SBOM).map(String::as_str) {
            None | Some("") => None,
            Some(_) => Some(parse(labels, SBOM)?),
        },
        war: WarOrigin {
            path: text(labels, WAR_PATH)?,
            sha256: parse(labels, WAR_SHA256)?,
        },
        // Images of before the check was there were not checked.
        boot_check: labels.get(BOOT_CHECK).is_some_and(|value| value == "on"),
        base: BaseImage {
            name: text(labels, BASE_NAME)?,
            digest: parse(labels, BASE_DIGEST)?,
        },
        exception: exception(labels)?,
        dockerfile: extract(DOCKERFILE, labels).map_err(|(label, reason)| DescribeError::Damaged { label, reason })?,
    })
}

fn text(labels: &BTreeMap<String, String>, key: &str) -> Result<String, DescribeError> {
    labels.get(key).cloned().ok_or_else(|| DescribeError::Damaged {
        label: key.to_owned(),
        reason: "is missing".to_owned(),
    })
}

fn parse<T>(labels: &BTreeMap<String, String>, key: &str) -> Result<T, DescribeError>
where
    T: FromStr,
    T::Err: ToString,
{
    let text = text(labels, key)?;
    text.parse().map_err(|error: T::Err| DescribeError::Damaged {
        label: key.to_owned(),
        reason: format!("is {text:?}: {}", error.to_string()),
    })
}

/// `https://user:secret@host/path` without what stands before the `@`, and without a query, where tokens hide too.
pub(super) fn without_credentials(address: &str) -> String {
    let address = address.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{scheme}://{host}{path}")
}
