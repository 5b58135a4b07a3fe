//! The HTTP API: JSON of [`crate::wire`] below `/api`. Reading is open if `server.public_read` says so; every order
//! needs a role.

mod builds;
mod deliveries;
mod images;
mod log;
mod trace;

use super::routes::Routes;
use crate::model::Permission::{ApproveFork, OrderBuild, Read, ReadDeliveries, ReplayDelivery};

pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/api/builds", Read, builds::list)
        .get("/api/builds/stream", Read, builds::stream)
        .get("/api/builds/{id}", Read, builds::show)
        .post("/api/builds/{id}/rebuild", OrderBuild, builds::rebuild)
        .post("/api/builds/{id}/cancel", OrderBuild, builds::cancel)
        .post("/api/builds/{id}/approve", ApproveFork, builds::approve)
        .get("/api/builds/{id}/log", Read, log::read)
        .get("/api/builds/{id}/log/stream", Read, log::stream)
        .get("/api/images", Read, images::list)
        .get("/api/trace/{*what}", Read, trace::trace)
        .get("/api/deliveries", ReadDeliveries, deliveries::list)
        .get("/api/deliveries/{id}", ReadDeliveries, deliveries::show)
        .post("/api/deliveries/{id}/replay", ReplayDelivery, deliveries::replay)
}
