//! Telling people and GitLab, against a real mail server and the stand-in for GitLab; builds are written by hand.

mod gitlab;
mod mails;
mod scene;
