//! The web over a real database, without workers: who may do what, live logs, orders, trace, and hostile text.

mod access;
mod check;
mod hostile;
mod live;
mod orders;
mod site;
mod trace;
