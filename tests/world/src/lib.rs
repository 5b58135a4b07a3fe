//! The test world: the one place that starts and stops the real parts that tests, demo and benchmarks run against.
//!
//! A Docker engine (if none answers), a registry with a mirror of base images, Postgres, an SMTP server, and a stand-in
//! for GitLab with real Git over smart HTTP. Nothing here knows the product; the product is pointed at these addresses
//! as it would be at a company's.

pub mod browser;
pub mod engine;
pub mod gitlab;
pub mod http;
pub mod images;
pub mod install;
pub mod openid;
pub mod postgres;
pub mod process;
pub mod registry;
pub mod smtp;
pub mod world;

pub use world::World;
