//! Table `image`: what came of the builds that passed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use sqlx::types::Json;

use super::{Result, decode};
use crate::model::{BuildId, BuiltImage, Digest, Dockerfile, DockerfileException, ImageLayer, PushedImage, War};

/// An image of the registry with everything that tells where it is from.
#[derive(Debug, Clone)]
pub struct ImageRecord {
    /// The build that made it.
    pub build: BuildId,
    /// Name of the application.
    pub application: String,
    /// Where it is.
    pub pushed: PushedImage,
    /// What it consists of there, the lowest first; `None` if it is older than this record.
    pub layers: Option<Vec<ImageLayer>>,
    /// The engine's id.
    pub image_id: Digest,
    /// How it was described.
    pub dockerfile: Dockerfile,
    /// Path of the WAR in the project.
    pub war_path: String,
    /// Its checksum.
    pub war_sha256: Digest,
    /// Its size in bytes.
    pub war_bytes: i64,
    /// `javax` or `jakarta`.
    pub servlet: String,
    /// On what grounds.
    pub servlet_evidence: String,
    /// Who built it.
    pub worker: String,
    /// When it reached the registry.
    pub pushed_at: DateTime<Utc>,
}

/// What a build writes when it passes.
#[derive(Debug)]
pub struct NewImage<'a> {
    /// The build.
    pub build: BuildId,
    /// Name of the application.
    pub application: &'a str,
    /// The WAR in it.
    pub war: &'a War,
    /// How it was described.
    pub dockerfile: &'a Dockerfile,
    /// As the engine has it.
    pub built: &'a BuiltImage,
    /// As the registry has it.
    pub pushed: &'a PushedImage,
    /// What it consists of there, the lowest first.
    pub layers: &'a [ImageLayer],
    /// Who built it.
    pub worker: &'a str,
}

/// Writes the image; the caller's transaction holds the fence.
pub async fn insert(db: impl PgExecutor<'_>, new: &NewImage<'_>) -> Result<()> {
    sqlx::query!(
        "insert into image (build_id, application, stack, reference, digest, image_id, dockerfile, dockerfile_sha256,
                            base_name, base_digest, war_path, war_sha256, war_bytes, servlet, servlet_evidence, labels,
                            worker, exception, layers)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
        new.build.0,
        new.application,
        new.dockerfile.stack,
        new.pushed.reference,
        new.pushed.digest.as_str(),
        new.built.id.as_str(),
        new.dockerfile.text,
        new.dockerfile.sha256.as_str(),
        new.dockerfile.base_name,
        new.dockerfile.base_digest.as_str(),
        new.war.path,
        new.war.sha256.as_str(),
        i64::try_from(new.war.size).unwrap_or(i64::MAX),
        new.war.servlet.as_str(),
        new.war.evidence,
        Json(&new.dockerfile.labels) as _,
        new.worker,
        new.dockerfile.exception.as_ref().map(Json) as _,
        Json(new.layers) as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

struct ImageRow {
    build_id: i64,
    application: String,
    stack: String,
    reference: String,
    digest: String,
    image_id: String,
    dockerfile: String,
    dockerfile_sha256: String,
    base_name: String,
    base_digest: String,
    war_path: String,
    war_sha256: String,
    war_bytes: i64,
    servlet: String,
    servlet_evidence: String,
    labels: Json<BTreeMap<String, String>>,
    worker: String,
    exception: Option<Json<DockerfileException>>,
    layers: Option<Json<Vec<ImageLayer>>>,
    pushed_at: DateTime<Utc>,
}

impl ImageRow {
    fn record(self) -> Result<ImageRecord> {
        Ok(ImageRecord {
            build: BuildId(self.build_id),
            application: self.application,
            pushed: PushedImage {
                reference: self.reference,
                digest: decode("image.digest", &self.digest)?,
            },
            layers: self.layers.map(|layers| layers.0),
            image_id: decode("image.image_id", &self.image_id)?,
            dockerfile: Dockerfile {
                text: self.dockerfile,
                sha256: decode("image.dockerfile_sha256", &self.dockerfile_sha256)?,
                stack: self.stack,
                base_name: self.base_name,
                base_digest: decode("image.base_digest", &self.base_digest)?,
                exception: self.exception.map(|exception| exception.0),
                labels: self.labels.0,
            },
            war_path: self.war_path,
            war_sha256: decode("image.war_sha256", &self.war_sha256)?,
            war_bytes: self.war_bytes,
            servlet: self.servlet,
            servlet_evidence: self.servlet_evidence,
            worker: self.worker,
            pushed_at: self.pushed_at,
        })
    }
}

/// The image of a build.
pub async fn of_build(db: impl PgExecutor<'_>, build: BuildId) -> Result<Option<ImageRecord>> {
    let row = sqlx::query_as!(
        ImageRow,
        r#"select build_id, application, stack, reference, digest, image_id, dockerfile, dockerfile_sha256, base_name,
                  base_digest, war_path, war_sha256, war_bytes, servlet, servlet_evidence,
                  labels as "labels: Json<BTreeMap<String, String>>", worker,
                  exception as "exception: Json<DockerfileException>",
                  layers as "layers: Json<Vec<ImageLayer>>", pushed_at
           from image where build_id = $1"#,
        build.0,
    )
    .fetch_optional(db)
    .await?;
    row.map(ImageRow::record).transpose()
}

/// Builds whose image has this digest (with or without `sha256:`, at least 12 digits) or this reference.
pub async fn find(db: impl PgExecutor<'_>, digest_or_reference: &str) -> Result<Vec<BuildId>> {
    let digest = digest_or_reference
        .rsplit_once('@')
        .map_or(digest_or_reference, |(_, digest)| digest);
    let digits = digest.strip_prefix("sha256:").unwrap_or(digest);
    let prefix = (digits.len() >= 12 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
        .then(|| format!("sha256:{}", digits.to_lowercase()));
    let ids = sqlx::query_scalar!(
        "select build_id from image where reference = $1 or starts_with(digest, $2) order by build_id desc limit 50",
        digest_or_reference,
        prefix,
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(BuildId).collect())
}

/// Every name that was pushed, with its digest.
pub async fn names(db: impl PgExecutor<'_>) -> Result<Vec<(String, Digest)>> {
    let rows = sqlx::query!("select reference, digest from image order by build_id")
        .fetch_all(db)
        .await?;
    rows.into_iter()
        .map(|row| Ok((row.reference, decode("image.digest", &row.digest)?)))
        .collect()
}
