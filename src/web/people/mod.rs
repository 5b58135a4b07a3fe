//! Who asks, and whether he may.
//!
//! Every request passes [`gate::pass`]: it finds out who asks ([`Caller`]), refuses what no browser of ours sent, and holds
//! the table of [`super::routes`] against the roles. What is about one project is asked again where the project is known,
//! by [`authorise`]: the one function that lets anything be changed, whose [`Actor`](crate::model::Actor) is recorded.

mod address;
mod authorise;
mod caller;
pub(super) mod cookie;
mod csrf;
pub(super) mod gate;
mod visitor;

pub(super) use authorise::{authorise, see};
pub(super) use caller::{Caller, PersonId, Sight, Who, valid};
pub(super) use csrf::{csrf_token, same_origin};
pub(super) use visitor::{Visitor, secret};
