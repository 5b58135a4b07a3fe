//! What changes something by cookie comes from a form of ours: the browser says so itself (`Sec-Fetch-Site`, or `Origin` of
//! older ones), and the form brings back a text that no other site can know.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::web::LARGEST_FORM;
use crate::web::error::{Error, Result};

/// The form's field, and the header in which a script may send the same.
const FIELD: &str = "csrf";
const HEADER: &str = "x-csrf-token";

/// The text for the browser whose cookie holds `secret`: made from it, so it need not be kept, and the cookie cannot be
/// made from it.
pub(in crate::web) fn csrf_token(secret: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length is one");
    mac.update(b"seaworthy form");
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

/// Lets the request through if its form (or header) has the text for this cookie; reads a form's body and puts it back.
pub(super) async fn check(request: Request, secret: &str) -> Result<Request> {
    let wanted = csrf_token(secret);
    let fits = |given: &str| bool::from(given.as_bytes().ct_eq(wanted.as_bytes()));
    if let Some(given) = request.headers().get(HEADER).and_then(|value| value.to_str().ok()) {
        return if fits(given) { Ok(request) } else { Err(refused()) };
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_FORM)
        .await
        .map_err(|_| Error::Invalid(format!("the form is larger than {LARGEST_FORM} bytes or was cut off")))?;
    let given = form_field(&body, FIELD);
    if !given.is_some_and(|given| fits(&given)) {
        return Err(refused());
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}

pub(super) fn refused() -> Error {
    Error::Forbidden(
        "this order came without the mark of our pages, or from a page of an earlier session: reload the page and use \
         its button"
            .to_owned(),
    )
}

fn form_field(body: &[u8], name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(body);
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Does this come from one of our own pages?
pub(in crate::web) fn same_origin(headers: &HeaderMap, public_url: &str) -> Result<()> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let ours = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let host = origin.split_once("://").map_or(origin, |(_, host)| host);
            Some(host) == text(header::HOST.as_str()) || origin_of(public_url) == origin
        }
        (None, None) => false,
    };
    if ours {
        return Ok(());
    }
    Err(Error::Forbidden(
        "this order did not come from a page of this service: open the page here and use its button".to_owned(),
    ))
}

/// `https://host:port` of an address.
fn origin_of(url: &str) -> &str {
    let begin = url.find("://").map_or(0, |at| at + 3);
    let end = url[begin..].find('/').map_or(url.len(), |at| begin + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
            .collect()
    }

    #[test]
    fn an_order_by_cookie_comes_from_our_own_page() {
        let url = "https://ci.example.com/";
        let host = ("host", "127.0.0.1:8080");
        for good in [
            headers(&[host, ("sec-fetch-site", "same-origin"), ("origin", "null")]),
            headers(&[host, ("origin", "http://127.0.0.1:8080")]),
            headers(&[host, ("origin", "https://ci.example.com")]),
        ] {
            assert!(same_origin(&good, url).is_ok(), "{good:?}");
        }
        for bad in [
            headers(&[host]),
            headers(&[host, ("origin", "null")]),
            headers(&[host, ("origin", "https://evil.example")]),
            headers(&[host, ("origin", "https://ci.example.com.evil.example")]),
            headers(&[
                host,
                ("sec-fetch-site", "same-site"),
                ("origin", "https://ci.example.com"),
            ]),
            headers(&[host, ("sec-fetch-site", "cross-site")]),
            headers(&[host, ("sec-fetch-site", "none")]),
        ] {
            assert!(same_origin(&bad, url).is_err(), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_form_brings_back_what_its_page_had() {
        let post = |body: String| Request::post("/").body(Body::from(body)).expect("a request");
        let right = format!("next=%2F&csrf={}", csrf_token("a"));
        let passed = check(post(right.clone()), "a").await.expect("it is ours");
        let body = to_bytes(passed.into_body(), 1000).await.expect("a body");
        assert_eq!(body, right.as_bytes(), "the handler reads it again");
        for wrong in [
            "".to_owned(),
            "csrf=".to_owned(),
            format!("csrf={}", csrf_token("b")),
            "%".to_owned(),
        ] {
            assert!(check(post(wrong.clone()), "a").await.is_err(), "{wrong}");
        }
    }
}
