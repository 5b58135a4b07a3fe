//! From the tables to a history.

use sqlx::PgConnection;

use super::{History, Moved, Produced, Rejected};
use crate::store::{Result, quality};

impl History {
    /// Everything that was ever recorded.
    ///
    /// # Errors
    /// The database is away.
    pub async fn read(db: &mut PgConnection) -> Result<Self> {
        Ok(Self {
            produced: quality::produced(&mut *db)
                .await?
                .into_iter()
                .map(|(digest, application, stack, base, at, merged_at)| Produced {
                    digest,
                    application,
                    stack,
                    base,
                    at,
                    merged_at,
                })
                .collect(),
            moved: quality::moved(&mut *db)
                .await?
                .into_iter()
                .map(|(digest, replaced, kind, application, environment, at)| Moved {
                    digest,
                    replaced,
                    kind,
                    application,
                    environment,
                    at,
                })
                .collect(),
            rejected: quality::rejected(&mut *db)
                .await?
                .into_iter()
                .map(|(digest, category, at)| Rejected { digest, category, at })
                .collect(),
        })
    }
}
