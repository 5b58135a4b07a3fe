//! stub
pub mod outbox;
pub struct Notifier;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct NotifyError;
impl NotifyError {
    pub fn is_transient(&self) -> bool {
        true
    }
}
impl Notifier {
    pub async fn tell(&self, _s: crate::store::notices::Subject) -> Result<(), NotifyError> {
        Ok(())
    }
}
pub struct MailTemplates;
impl MailTemplates {
    pub fn load(_: Option<&std::path::Path>) -> anyhow::Result<Self> {
        Ok(Self)
    }
}
impl Notifier {
    pub fn new(
        _: sqlx::PgPool,
        _: crate::clients::gitlab::GitLab,
        _: crate::clients::mailer::Mailer,
        _: MailTemplates,
        _: String,
    ) -> Self {
        Self
    }
}
