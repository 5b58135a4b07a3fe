//! The table of routes: method, path, what it needs. A route exists by being put in here; the gate
//! ([`super::people::gate`]) refuses whatever has no row, and a test holds every row against every role.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{get, post};

use super::state::AppState;
use crate::model::Permission;

/// What a request must bring to come to its handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: whoever reaches the service may. Such a handler learns nothing of who asks.
    Nothing,
    /// The handler has a proof of its own: the signature of a webhook, the mark of a sign-in.
    OwnProof,
    /// This permission, at least for one project; which project, the handler knows and asks about.
    Permission(Permission),
}

impl From<Permission> for Needs {
    fn from(permission: Permission) -> Self {
        Self::Permission(permission)
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its method; a GET is a HEAD too.
    pub method: Method,
    /// Its path, as axum writes it.
    pub path: &'static str,
    /// What it needs.
    pub needs: Needs,
}

/// The rows so far, and the router that has them.
#[derive(Debug, Default)]
pub(super) struct Routes {
    pub rows: Vec<Route>,
    pub router: Router<AppState>,
}

impl Routes {
    /// Something to look at.
    pub fn get<H, T>(self, path: &'static str, needs: impl Into<Needs>, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let mut this = self.row(Method::GET, path, needs.into());
        this.router = this.router.route(path, get(handler));
        this
    }

    /// Something that changes something.
    pub fn post<H, T>(self, path: &'static str, needs: impl Into<Needs>, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let mut this = self.row(Method::POST, path, needs.into());
        this.router = this.router.route(path, post(handler));
        this
    }

    /// A row for a route that a router of another state has.
    pub fn row(mut self, method: Method, path: &'static str, needs: Needs) -> Self {
        self.rows.push(Route { method, path, needs });
        self
    }

    /// These, and those of another part.
    pub fn merge(mut self, other: Self) -> Self {
        self.rows.extend(other.rows);
        self.router = self.router.merge(other.router);
        self
    }
}
