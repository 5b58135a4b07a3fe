//! The stages, one a file, named by what they do.

mod boot_check;
mod build_image;
mod check_war;
mod checkout;
mod inspect_image;
mod package;
mod push_image;
mod push_libraries;
mod render_dockerfile;
mod take_dockerfile;
mod take_inventory;
mod unit_test;

pub(super) use boot_check::boot_check;
pub(super) use build_image::{Built, build_image};
pub(super) use check_war::{Checked, check_war};
pub(super) use checkout::{Source, checkout};
pub(super) use package::{Packed, package};
pub(super) use push_image::{Pushed, push_image};
pub(super) use render_dockerfile::{Prepared, render_dockerfile};
pub(super) use unit_test::{Tested, unit_test};
