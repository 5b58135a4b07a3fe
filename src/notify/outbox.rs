//! stub
use crate::model::*;
pub async fn announce(_db: impl sqlx::PgExecutor<'_>, _mr: &MergeRequest, _b: BuildId) -> crate::store::Result<()> {
    Ok(())
}
pub async fn write_mails(
    _tx: &mut sqlx::PgTransaction<'_>,
    _r: &crate::store::builds::BuildRecord,
    _c: &[Commit],
    _more: &[String],
    _url: &str,
) -> crate::store::Result<()> {
    Ok(())
}
