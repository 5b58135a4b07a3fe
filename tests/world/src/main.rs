//! `world`: the test world from the command line.

use anyhow::Result;
use world::{engine::Engine, images::Images, install};

#[tokio::main]
async fn main() -> Result<()> {
    install::ensure_packages().await?;
    let dir = std::path::Path::new("/tmp/ww/engine");
    let engine = Engine::ensure(dir).await?;
    let images = Images::ensure(&engine, &Images::default_cache()).await?;
    println!("{images:#?}");
    engine.stop().await
}
