//! stub
use crate::{
    config::Config,
    store::jobs::Lane,
    wake::{Event, Hub},
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
#[derive(Clone)]
pub struct AppState {
    pub pool: sqlx::PgPool,
    pub config: Arc<Config>,
    pub hub: Arc<Hub>,
    pub stop: CancellationToken,
    pub ready: Arc<std::sync::atomic::AtomicBool>,
}
impl AppState {
    pub fn new(pool: sqlx::PgPool, config: Arc<Config>, hub: Arc<Hub>, stop: CancellationToken) -> Self {
        Self {
            pool,
            config,
            hub,
            stop,
            ready: Default::default(),
        }
    }
    pub fn set_migrated(&self) {
        self.ready.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}
pub fn health_router(state: AppState) -> axum::Router {
    axum::Router::new()
        .route("/healthz", axum::routing::get(|| async { "ok" }))
        .route(
            "/readyz",
            axum::routing::get(move || {
                let r = state.ready.clone();
                async move {
                    if r.load(std::sync::atomic::Ordering::SeqCst) {
                        (axum::http::StatusCode::OK, "ready")
                    } else {
                        (axum::http::StatusCode::SERVICE_UNAVAILABLE, "no")
                    }
                }
            }),
        )
}
pub fn router(state: AppState) -> axum::Router {
    let hub = state.hub.clone();
    let hooks = crate::webhook::Hooks::new(
        state.pool.clone(),
        state.config.webhook.clone(),
        state.config.server.public_url.clone(),
        move || hub.tell(Event::Job(Lane::Intake)),
    );
    health_router(state).merge(crate::webhook::routes(Arc::new(hooks)))
}
