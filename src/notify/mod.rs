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
