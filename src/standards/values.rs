//! Addresses in values: IP addresses, databases, services. Tuned to be silent where it is not sure.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use regex::Regex;

use super::collector::Collector;
use super::statements::Statement;
use crate::model::rule;

/// Where a value comes from: what is in code is more often a mere name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    Configuration,
    Class,
}

/// Stands for what is filled in later.
const FILLED_IN: char = '\u{1}';

macro_rules! pattern {
    ($text:expr) => {
        LazyLock::new(|| Regex::new($text).expect("a constant pattern"))
    };
}

/// `#{…}`, `%{…}`, `@maven.filter@`, `%s`; `${…}` nests and is done by hand.
static OTHER_PLACEHOLDERS: LazyLock<Regex> = pattern!(r"#\{[^}]*\}|%\{[^}]*\}|@[A-Za-z][\w.-]*@|%[sd]|\{\d+\}|\{\}");
static IPV4: LazyLock<Regex> = pattern!(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}");
static IPV6: LazyLock<Regex> = pattern!(r"//(?:[^/@\s]*@)?\[([0-9A-Fa-f:.]+)\]");
static JDBC: LazyLock<Regex> = pattern!(r#"(?i)\bjdbc:([a-z0-9]+:[^\s"'<>]*)"#);
static URL: LazyLock<Regex> = pattern!(
    r#"(?i)\b(https?|ftps?|sftp|ldaps?|amqps?|tcp|ssl|rediss?|mongodb(?:\+srv)?|smtps?|nats|mqtt|t3s?|iiop|rmi|wss?)://([^\s"'<>,;)\\]+)"#
);

/// Databases in memory or in the file system, and what a driver or a test replaces.
const NO_SERVER: [&str; 9] = [
    "h2:mem",
    "h2:file",
    "h2:~",
    "h2:.",
    "hsqldb:mem",
    "derby:memory",
    "sqlite:",
    "tc:",
    "default:",
];

/// Hosts of schemas, licences and documentation: their addresses are names, nobody calls them.
const PUBLIC: [&str; 62] = [
    "activiti.org",
    "adobe.com",
    "apache.org",
    "bpmn.io",
    "camunda.org",
    "codehaus.org",
    "dublincore.org",
    "eclipse.org",
    "ehcache.org",
    "example.com",
    "example.net",
    "example.org",
    "flowable.org",
    "github.com",
    "gnu.org",
    "gradle.org",
    "hazelcast.com",
    "hibernate.org",
    "iana.org",
    "ibm.com",
    "icefaces.org",
    "ietf.org",
    "infinispan.org",
    "jakarta.ee",
    "java.com",
    "java.net",
    "jboss.com",
    "jboss.org",
    "jcp.org",
    "json-schema.org",
    "liquibase.org",
    "microsoft.com",
    "mozilla.org",
    "mybatis.org",
    "oasis-open.org",
    "omg.org",
    "omnifaces.org",
    "opengis.net",
    "opensource.org",
    "opensymphony.com",
    "openxmlformats.org",
    "oracle.com",
    "primefaces.org",
    "purl.org",
    "qos.ch",
    "quartz-scheduler.org",
    "redhat.com",
    "schema.org",
    "slf4j.org",
    "sourceforge.net",
    "spring.io",
    "springframework.org",
    "stackoverflow.com",
    "sun.com",
    "swagger.io",
    "terracotta.org",
    "thymeleaf.org",
    "tuckey.org",
    "w3.org",
    "wikipedia.org",
    "xml.org",
    "xmlsoap.org",
];
/// Names that never leave a house.
const INTERNAL: [&str; 8] = [
    ".local",
    ".internal",
    ".intern",
    ".intra",
    ".intranet",
    ".corp",
    ".lan",
    ".home",
];

/// Looks at one value.
pub(super) fn judge(statement: &Statement, from: From, path: &str, found: &mut Collector<'_>) {
    // Few values have any of these; the patterns cost more.
    let (dots, address) = (statement.value.contains('.'), statement.value.contains("://"));
    let jdbc = statement.value.contains("jdbc:") || statement.value.contains("JDBC:");
    if !(dots || address || jdbc) {
        return;
    }
    let value = filled_in(&statement.value);
    if jdbc {
        databases(&value, path, found);
    }
    if address && !jdbc {
        services(statement, &value, from, path, found);
    }
    if dots || address {
        ip_addresses(&statement.key, &value, path, found);
    }
}

/// The value with what is filled in at run time or by Maven replaced by one sign.
pub(super) fn filled_in(value: &str) -> Cow<'_, str> {
    let mut rest = value;
    let mut text = String::new();
    while let Some(at) = rest.find("${") {
        text.push_str(&rest[..at]);
        text.push(FILLED_IN);
        let mut depth = 0usize;
        let end = rest[at..].char_indices().find_map(|(offset, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => return None,
            }
            (depth == 0).then_some(at + offset + 1)
        });
        // What is not closed is filled in to its end.
        rest = end.map_or("", |end| &rest[end..]);
    }
    text.push_str(rest);
    let sign = FILLED_IN.to_string();
    Cow::Owned(OTHER_PLACEHOLDERS.replace_all(&text, sign.as_str()).into_owned())
}

/// Is a part of it filled in?
pub(super) fn is_filled_in(value: &str) -> bool {
    filled_in(value).contains(FILLED_IN)
}

fn databases(value: &str, path: &str, found: &mut Collector<'_>) {
    for hit in JDBC.captures_iter(value) {
        let rest = &hit[1];
        let lower = rest.to_ascii_lowercase();
        // What stands between the driver's name and the parameters.
        let place = rest.split_once(':').map_or("", |(_, place)| place);
        let place = place.split(['?', ';']).next().unwrap_or_default();
        let named = place.bytes().filter(u8::is_ascii_alphanumeric).count() >= 3;
        let only_scheme = place.ends_with(['@', ':']) || place.ends_with("//");
        if NO_SERVER.iter().any(|start| lower.starts_with(start))
            || !named
            || only_scheme
            || place.contains([FILLED_IN, '{'])
        {
            continue;
        }
        found.add(&rule::JDBC_URL, path, without_secrets(&hit[0]));
    }
}

fn services(statement: &Statement, value: &str, from: From, path: &str, found: &mut Collector<'_>) {
    let key = statement.key.to_ascii_lowercase();
    if key.ends_with("namespace") || key.ends_with("systemid") || key.ends_with("publicid") || key.contains("schema") {
        return;
    }
    for hit in URL.captures_iter(value) {
        let (scheme, rest) = (hit[1].to_ascii_lowercase(), &hit[2]);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (name, port) = match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let good = !name.is_empty()
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_'));
        let schema = [".xsd", ".dtd", ".tld", ".xsl"].iter().any(|end| rest.ends_with(end));
        let public = PUBLIC.iter().any(|public| {
            name.strip_suffix(public)
                .is_some_and(|left| left.is_empty() || left.ends_with('.'))
        }) || [".example", ".test", ".invalid"].iter().any(|end| name.ends_with(end));
        if !good || schema || public || name == "localhost" || host.contains([FILLED_IN, '{']) {
            continue;
        }
        let internal = !name.contains('.') || INTERNAL.iter().any(|end| name.ends_with(end));
        let called = port.is_some() || user.is_some() || !scheme.starts_with("http");
        // In code, an address on the open net is more often a link for people.
        if from == From::Class && !internal && !called {
            continue;
        }
        found.add(&rule::SERVICE_URL, path, without_secrets(&hit[0]));
    }
}

fn ip_addresses(key: &str, value: &str, path: &str, found: &mut Collector<'_>) {
    let about_versions = |text: &str| {
        let text = text.to_ascii_lowercase();
        ["version", "release", "revision", "oid", "build"]
            .iter()
            .any(|word| text.contains(word))
    };
    for hit in IPV4.find_iter(value) {
        let before = value[..hit.start()].chars().next_back();
        let after = value[hit.end()..].chars().next();
        let beyond = value[hit.end()..].chars().nth(1);
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let longer = before.is_some_and(|c| word(c) || c == '.' || c == '-')
            || after.is_some_and(|c| word(c) || c == '-' || c == FILLED_IN)
            || (after == Some('.') && beyond.is_some_and(word));
        let Ok(address) = hit.as_str().parse::<Ipv4Addr>() else {
            continue;
        };
        let near: String = value[..hit.start()]
            .chars()
            .rev()
            .take(20)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        if longer || !is_hard_coded(address) || about_versions(key) || about_versions(&near) {
            continue;
        }
        found.add(&rule::IP_ADDRESS, path, address.to_string());
    }
    for hit in IPV6.captures_iter(value) {
        if let Ok(address) = hit[1].parse::<Ipv6Addr>()
            && !address.is_loopback()
            && !address.is_unspecified()
            // Documentation, RFC 3849.
            && address.segments()[..2] != [0x2001, 0xdb8]
        {
            found.add(&rule::IP_ADDRESS, path, address.to_string());
        }
    }
}

/// Is it the address of a machine, as far as a number can tell?
fn is_hard_coded(address: Ipv4Addr) -> bool {
    let [a, b, c, d] = address.octets();
    if address.is_loopback()
        || address.is_unspecified()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        // Networks and masks say a range, not a machine.
        || a == 0
        || a == 255
        || (b, c, d) == (0, 0, 0)
    {
        return false;
    }
    // Four small numbers are a version or an object identifier (2.5.29.15).
    address.is_private() || [a, b, c, d].iter().any(|octet| *octet >= 40)
}

static SECRET_IN_ADDRESS: LazyLock<Regex> =
    pattern!(r"(?i)(//[^/:@\s]*:)[^/@\s]+@|([?&;:](?:password|passwd|pwd|secret|token|api_?key)=)[^&;\s]+");

/// An address without the passwords in it, for people.
pub(super) fn without_secrets(address: &str) -> String {
    let masked = SECRET_IN_ADDRESS.replace_all(address, |hit: &regex::Captures<'_>| match (hit.get(1), hit.get(2)) {
        (Some(user), _) => format!("{}***@", user.as_str()),
        (_, Some(key)) => format!("{}***", key.as_str()),
        _ => "***".to_owned(),
    });
    masked.replace(FILLED_IN, "…")
}
