//! Seaworthy: a merge request becomes a tested, self-describing image in the QA registry, and a mail.

pub mod advisories;
pub mod ansi;
pub mod build_log;
pub mod by_hand;
pub mod cli;
pub mod clients;
pub mod config;
pub mod definition;
pub mod dockerfile;
pub mod intake;
pub mod maven;
pub mod model;
pub mod notify;
pub mod pipeline;
pub mod project;
pub mod queue;
pub mod sbom;
pub mod standards;
pub mod store;
pub mod tomcat;
pub mod wake;
pub mod web;
pub mod webhook;
pub mod wire;
