//! Values in addresses.

use std::fmt::Write as _;

/// A value for a query or a path segment: everything but RFC 3986's unreserved characters and `/` as `%XX`.
pub(super) fn encode_component(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    encoded
}

/// `path?name=value&…` of the values that are there.
pub(super) fn with_query<'a>(path: &str, values: impl IntoIterator<Item = (&'a str, Option<String>)>) -> String {
    let mut address = path.to_owned();
    let mut mark = '?';
    for (name, value) in values {
        if let Some(value) = value {
            address.push(mark);
            address.push_str(name);
            address.push('=');
            address.push_str(&encode_component(&value));
            mark = '&';
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_end_its_parameter() {
        let address = with_query(
            "/builds",
            [
                ("project", Some("a/b&c=d#e".to_owned())),
                ("iid", None),
                ("n", Some("ü 1".to_owned())),
            ],
        );
        assert_eq!(address, "/builds?project=a/b%26c%3Dd%23e&n=%C3%BC%201");
    }
}
