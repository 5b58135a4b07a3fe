//! The HTTP API: JSON of [`crate::wire`] below `/api`. Reading is open if `server.public_read` says so; every order
//! needs a role.

mod audit;
mod builds;
mod deliveries;
mod diff;
mod environments;
mod images;
mod log;
mod promotions;
mod quality;
mod trace;

use super::routes::Routes;
use crate::model::Permission::{
    ApproveFork, ApprovePromotion, OrderBuild, Read, ReadAudit, ReadDeliveries, RejectImage, ReplayDelivery,
    RequestPromotion, RollBack, SteerPromotion,
};

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
        .get("/api/environments", Read, environments::board)
        .get("/api/history/{application}", Read, environments::history)
        .get("/api/promotions", Read, promotions::list)
        .post("/api/promotions", RequestPromotion, promotions::request)
        .get("/api/promotions/stream", Read, promotions::stream)
        .get("/api/promotions/{id}", Read, promotions::show)
        .post("/api/promotions/{id}/approve", ApprovePromotion, promotions::approve)
        .post("/api/promotions/{id}/cancel", SteerPromotion, promotions::cancel)
        .post("/api/promotions/{id}/resume", SteerPromotion, promotions::resume)
        .post("/api/rollbacks", RollBack, promotions::roll_back)
        .post("/api/rejections", RejectImage, promotions::reject)
        .get("/api/diff", Read, diff::show)
        .get("/api/quality", Read, quality::show)
        .get("/api/audit", ReadAudit, audit::export)
        .get("/api/deliveries", ReadDeliveries, deliveries::list)
        .get("/api/deliveries/{id}", ReadDeliveries, deliveries::show)
        .post("/api/deliveries/{id}/replay", ReplayDelivery, deliveries::replay)
}
