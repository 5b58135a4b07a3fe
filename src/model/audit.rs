//! The audit trail: one decision a row, each carrying the hash of the one before.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A decision before it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<'a> {
    /// Who: login name, name of a token, or `seaworthy` for what the service does by itself.
    pub actor: &'a str,
    /// From which network address, if it came over the network.
    pub address: Option<&'a str>,
    /// What was done: a verb with its noun, for example `promotion.approve`.
    pub action: &'a str,
    /// To what: `promotion 12`, `sha256:…`.
    pub subject: &'a str,
    /// On what grounds: reason, gates, digests.
    pub grounds: Value,
}

/// A row of the trail, as it is stored and exported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Its number; no number is left out.
    pub seq: i64,
    /// When, to the microsecond.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: String,
    /// From which network address.
    pub address: Option<String>,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// On what grounds: JSON, kept as the text that was hashed.
    pub grounds: String,
    /// Hash of the row before, in hex; 64 zeros for the first.
    pub previous: String,
    /// Hash of this row, in hex.
    pub hash: String,
}

/// What the first row carries.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

impl AuditRow {
    /// SHA-256 over all fields but `hash`, in hex. Each field is preceded by its length, so that no two rows have the same
    /// bytes; a missing address differs from an empty one.
    pub fn computed(&self) -> String {
        let mut sum = Sha256::new();
        let mut field = |bytes: &[u8]| {
            sum.update((bytes.len() as u64).to_be_bytes());
            sum.update(bytes);
        };
        field(b"seaworthy audit 1");
        field(self.previous.as_bytes());
        field(&self.seq.to_be_bytes());
        field(&self.at.timestamp_micros().to_be_bytes());
        field(self.actor.as_bytes());
        field(&[u8::from(self.address.is_some())]);
        field(self.address.as_deref().unwrap_or_default().as_bytes());
        field(self.action.as_bytes());
        field(self.subject.as_bytes());
        field(self.grounds.as_bytes());
        sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Numbers are missing before it.
    #[error("row {found} follows row {last}: {} between them are gone", found - last - 1)]
    Gap {
        /// The row before.
        last: i64,
        /// The row.
        found: i64,
    },
    /// It does not carry the hash of the row before.
    #[error("row {0} does not carry the hash of the row before: one of the two was changed")]
    Chain(i64),
    /// Its own hash is another one.
    #[error("row {0} was changed: its fields do not give its hash")]
    Row(i64),
}

/// Walks along the rows in their order.
#[derive(Debug, Clone)]
pub struct Chain {
    last: i64,
    hash: String,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            last: 0,
            hash: GENESIS.to_owned(),
        }
    }
}

impl Chain {
    /// Looks at the next row.
    ///
    /// # Errors
    /// The row is broken: nothing behind it can be trusted.
    pub fn step(&mut self, row: &AuditRow) -> Result<(), Broken> {
        if row.computed() != row.hash {
            return Err(Broken::Row(row.seq));
        }
        if row.seq != self.last + 1 {
            return Err(Broken::Gap {
                last: self.last,
                found: row.seq,
            });
        }
        if row.previous != self.hash {
            return Err(Broken::Chain(row.seq));
        }
        self.last = row.seq;
        self.hash.clone_from(&row.hash);
        Ok(())
    }

    /// Number of the last good row, 0 if there is none.
    pub fn last(&self) -> i64 {
        self.last
    }

    /// Hash of the last good row: noted down elsewhere, it proves later that nothing was cut off.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: i64) -> Vec<AuditRow> {
        let mut rows: Vec<AuditRow> = Vec::new();
        for seq in 1..=count {
            let mut row = AuditRow {
                seq,
                at: DateTime::from_timestamp_micros(1_000_000 + seq).expect("a time"),
                actor: "ada".to_owned(),
                address: (seq % 2 == 0).then(|| "192.0.2.7".to_owned()),
                action: "promotion.request".to_owned(),
                subject: format!("promotion {seq}"),
                grounds: r#"{"reason":"x"}"#.to_owned(),
                previous: rows.last().map_or(GENESIS.to_owned(), |row| row.hash.clone()),
                hash: String::new(),
            };
            row.hash = row.computed();
            rows.push(row);
        }
        rows
    }

    fn walk(rows: &[AuditRow]) -> Result<i64, Broken> {
        let mut chain = Chain::default();
        rows.iter().try_for_each(|row| chain.step(row))?;
        Ok(chain.last())
    }

    #[test]
    fn an_untouched_trail_is_good() {
        assert_eq!(walk(&rows(5)), Ok(5));
        assert_eq!(walk(&[]), Ok(0));
    }

    #[test]
    fn each_change_names_its_row() {
        let edits: [fn(&mut AuditRow); 8] = [
            |row| row.actor.push('x'),
            |row| row.address = Some(String::new()),
            |row| row.action.push('x'),
            |row| row.subject.push('x'),
            |row| row.grounds.push(' '),
            |row| row.at += chrono::Duration::microseconds(1),
            |row| row.previous = GENESIS.to_owned(),
            |row| row.hash.replace_range(0..1, "g"),
        ];
        for edit in edits {
            let mut rows = rows(5);
            edit(&mut rows[2]);
            assert_eq!(walk(&rows), Err(Broken::Row(3)));
        }
    }

    #[test]
    fn a_row_that_was_taken_out_or_written_anew_is_missed() {
        let mut gone = rows(5);
        gone.remove(2);
        assert_eq!(walk(&gone), Err(Broken::Gap { last: 2, found: 4 }));
        // Whoever computes the hash anew has to do so with all rows behind it too.
        let mut forged = rows(5);
        forged[2].actor = "eve".to_owned();
        forged[2].hash = forged[2].computed();
        assert_eq!(walk(&forged), Err(Broken::Chain(4)));
    }
}
