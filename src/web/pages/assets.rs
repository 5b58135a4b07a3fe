//! Style and script, part of the program. Their address holds a checksum of their content, so a browser may keep them
//! for ever and still never shows a new page with an old style.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::web::error::Error;

#[derive(RustEmbed)]
#[folder = "templates/pages/assets"]
struct Assets;

static ADDRESSES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    Assets::iter()
        .filter_map(|name| {
            let file = Assets::get(&name)?;
            let address = format!("/assets/{}/{name}", mark(&file.metadata.sha256_hash()));
            Some((name.into_owned(), address))
        })
        .collect()
});

/// The address of an asset.
pub(super) fn address(name: &str) -> &'static str {
    ADDRESSES.get(name).map_or("/assets/missing", String::as_str)
}

fn mark(sha256: &[u8; 32]) -> String {
    sha256[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) async fn serve(Path((sum, name)): Path<(String, String)>) -> Result<Response, Error> {
    let file = Assets::get(&name).ok_or_else(|| Error::NotFound(format!("there is no asset {name:?}")))?;
    let kind = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        _ => "image/svg+xml",
    };
    // While two versions of the service answer side by side, a page of one may ask the other.
    let keep = if sum == mark(&file.metadata.sha256_hash()) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)], file.data).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_of_the_layout_is_there() {
        for name in [
            "pico.classless.min.css",
            "seaworthy.css",
            "seaworthy.js",
            "seaworthy.svg",
        ] {
            assert!(address(name).ends_with(name), "{name} is missing");
        }
    }
}
