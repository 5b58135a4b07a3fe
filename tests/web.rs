//! The web over a real database, without workers: who may do what, sign-in, live logs, orders, trace, and hostile text.

mod access;
mod accounts;
mod check;
mod hostile;
mod live;
mod orders;
mod sign_in;
mod site;
mod trace;
