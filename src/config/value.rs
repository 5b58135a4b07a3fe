//! Texts that mean a size or a time.

use std::time::Duration;

/// Bytes of a size like `25MiB`: a whole number and B, KiB, MiB, GiB or TiB.
///
/// # Errors
/// A sentence that says which form is allowed.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];
    units
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?.trim(), shift)))
        .and_then(|(number, shift)| number.parse::<u64>().ok()?.checked_mul(1 << shift))
        .ok_or_else(|| "a size like \"512MiB\" (units B, KiB, MiB, GiB, TiB)".to_owned())
}

/// A time like `500ms`, `30s`, `5m`, `2h`.
///
/// # Errors
/// A sentence that says which form is allowed.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    units
        .into_iter()
        .find_map(|(unit, millis)| {
            let number = text.strip_suffix(unit)?.trim().parse::<u64>().ok()?;
            number.checked_mul(millis)
        })
        .map(Duration::from_millis)
        .ok_or_else(|| "a time like \"30s\" (units ms, s, m, h)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!(parse_size("25MiB"), Ok(25 << 20));
        assert_eq!(parse_size("7B"), Ok(7));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("5m"), Ok(Duration::from_secs(300)));
        for bad in ["", "12", "MiB", "-1B", "1.5GiB", "99999999999TiB"] {
            assert!(parse_size(bad).is_err(), "{bad:?} was taken for a size");
        }
        for bad in ["", "5", "s", "-1s", "1d"] {
            assert!(parse_duration(bad).is_err(), "{bad:?} was taken for a time");
        }
    }
}
