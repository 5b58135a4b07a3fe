//! Sizes ("2GiB") and times ("1h30m") as people write them.

use std::time::Duration;

/// Bytes of "512MiB", "2GiB", "64KiB", "1TiB" or "100B". Binary units alone: "2GB" is refused, because it is read both ways.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let expected =
        || format!("{text:?} is no size; write a whole number and KiB, MiB, GiB or TiB, for example \"512MiB\"");
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let number: u64 = digits.parse().map_err(|_| expected())?;
    let factor: u64 = match unit.trim_start() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(expected()),
    };
    number
        .checked_mul(factor)
        .filter(|bytes| i64::try_from(*bytes).is_ok())
        .ok_or_else(|| format!("{text:?} is too large a size"))
}

/// Time of "500ms", "90s", "30m", "1h30m" or "2d": whole numbers with d, h, m, s, ms, largest unit first, each once.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 5] = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ];
    let expected =
        || format!("{text:?} is no time; write whole numbers with d, h, m, s, ms, for example \"90s\" or \"1h30m\"");
    let mut rest = text;
    let mut millis: u64 = 0;
    let mut allowed = &UNITS[..];
    if rest.is_empty() {
        return Err(expected());
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(expected)?;
        let number: u64 = rest[..end].parse().map_err(|_| expected())?;
        let after = rest[end..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(rest.len(), |n| end + n);
        let unit = &rest[end..after];
        let at = allowed
            .iter()
            .position(|(name, _)| *name == unit)
            .ok_or_else(expected)?;
        millis = number
            .checked_mul(allowed[at].1)
            .and_then(|part| part.checked_add(millis))
            .filter(|sum| *sum <= 3_650 * 86_400_000)
            .ok_or_else(|| format!("{text:?} is too long a time"))?;
        allowed = &allowed[at + 1..];
        rest = &rest[after..];
    }
    Ok(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(parse_bytes("512MiB"), Ok(536_870_912));
        assert_eq!(parse_bytes("2 GiB"), Ok(2_147_483_648));
        assert_eq!(parse_bytes("0B"), Ok(0));
        for bad in [
            "",
            "2",
            "2GB",
            "GiB",
            "-1GiB",
            "1.5GiB",
            "99999999TiB",
            "2gib",
            "18446744073709551616B",
        ] {
            assert!(parse_bytes(bad).is_err(), "{bad:?} was taken for a size");
        }
    }

    #[test]
    fn times_go_from_large_to_small() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("1s500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(parse_duration("2d"), Ok(Duration::from_secs(172_800)));
        for bad in [
            "", "30", "m", "30m1h", "1h1h", "1.5h", "-1s", "1 h", "5 min", "99999d", "3ü",
        ] {
            assert!(parse_duration(bad).is_err(), "{bad:?} was taken for a time");
        }
    }
}
