//! A new migration or template must be noticed although no Rust file changed.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
