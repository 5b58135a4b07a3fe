//! The engine's layer progress (hundreds of messages for one layer) as few lines: one when a layer changes its state, and
//! how far everything is every two seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// Pause between two lines that say how far everything is.
const PAUSE: Duration = Duration::from_secs(2);

/// What is known of each layer.
#[derive(Debug, Default)]
pub(super) struct Progress {
    layers: BTreeMap<String, Layer>,
    last_line: String,
    last_amount: Option<Instant>,
    expected: usize,
    settled: usize,
}

#[derive(Debug, Default)]
struct Layer {
    state: String,
    amount: (u64, u64),
}

impl Progress {
    /// Takes one message at a moment; gives a line when there is something new to say.
    pub(super) fn update(
        &mut self,
        id: Option<&str>,
        status: &str,
        amount: Option<(u64, u64)>,
        now: Instant,
    ) -> Option<String> {
        if status.is_empty() {
            return None;
        }
        let Some(id) = id else {
            let new = self.last_line != status;
            status.clone_into(&mut self.last_line);
            return new.then(|| status.to_owned());
        };
        let layer = self.layers.entry(id.to_owned()).or_default();
        if let Some(amount) = amount {
            layer.amount = amount;
        }
        let line = if layer.state == status {
            None
        } else {
            status.clone_into(&mut layer.state);
            // These two say only that a layer stands in line.
            (!matches!(status, "Preparing" | "Waiting")).then(|| format!("{id}: {status}"))
        };
        line.or_else(|| self.amount_line(status, now))
    }

    /// The same for messages that do not name their layer, as the client library gives them for a push: layers are told
    /// apart by their size, and counted when they are done.
    pub(super) fn update_nameless(&mut self, status: &str, amount: Option<(u64, u64)>, now: Instant) -> Option<String> {
        match (status, amount) {
            ("Preparing", _) => {
                self.expected += 1;
                None
            }
            ("Waiting", _) => None,
            ("Pushing", Some(amount)) => {
                let layer = self.layers.entry(amount.1.to_string()).or_default();
                *layer = Layer {
                    state: status.to_owned(),
                    amount,
                };
                self.amount_line(status, now)
            }
            ("Pushing", None) => None,
            ("Pushed" | "Layer already exists", _) => Some(self.settle(status)),
            _ if status.starts_with("Mounted from") => Some(self.settle(status)),
            _ => self.update(None, status, None, now),
        }
    }

    fn settle(&mut self, status: &str) -> String {
        self.settled += 1;
        format!(
            "layer {} of {}: {status}",
            self.settled,
            self.expected.max(self.settled)
        )
    }

    fn amount_line(&mut self, status: &str, now: Instant) -> Option<String> {
        let since = *self.last_amount.get_or_insert(now);
        if now.duration_since(since) < PAUSE {
            return None;
        }
        let moving = self
            .layers
            .values()
            .filter(|layer| layer.state == status && layer.amount.1 > 0);
        // A layer that grows when unpacked moves more than its announced size.
        let (done, all) = moving.fold((0, 0), |(done, all), layer| {
            (done + layer.amount.0.min(layer.amount.1), all + layer.amount.1)
        });
        if all == 0 {
            return None;
        }
        self.last_amount = Some(now);
        #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
        let (megabytes, percent) = (all as f64 / 1e6, done as f64 / all as f64 * 100.0);
        Some(format!("{status} {percent:.0} % of {megabytes:.1} MB"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_without_names_counts_its_layers() {
        let mut progress = Progress::default();
        let start = Instant::now();
        let mut lines = Vec::new();
        let mut tell = |status: &str, amount, at: u64| {
            lines.extend(progress.update_nameless(status, amount, start + Duration::from_millis(at)));
        };
        tell("Preparing", None, 0);
        tell("Preparing", None, 0);
        tell("Waiting", None, 0);
        tell("Layer already exists", None, 1);
        for i in 0..=300 {
            tell("Pushing", Some((i * 100_000, 30_000_000)), 10 * i);
        }
        tell("Pushed", None, 3001);
        assert_eq!(
            lines,
            [
                "layer 1 of 2: Layer already exists",
                "Pushing 67 % of 30.0 MB",
                "layer 2 of 2: Pushed"
            ]
        );
    }

    #[test]
    fn hundreds_of_messages_become_a_few_lines() {
        let mut progress = Progress::default();
        let start = Instant::now();
        let mut lines = Vec::new();
        let mut tell = |id: Option<&str>, status: &str, amount, at: u64| {
            lines.extend(progress.update(id, status, amount, start + Duration::from_millis(at)));
        };
        tell(None, "The push refers to repository [r/a]", None, 0);
        tell(Some("aa"), "Preparing", None, 1);
        tell(Some("bb"), "Preparing", None, 1);
        tell(Some("bb"), "Layer already exists", None, 2);
        for i in 0..500 {
            tell(Some("aa"), "Pushing", Some((i * 100_000, 50_000_000)), 10 * i);
        }
        tell(Some("aa"), "Pushed", None, 5000);
        tell(None, "1: digest: sha256:00 size: 1", None, 5001);
        assert_eq!(
            lines,
            [
                "The push refers to repository [r/a]",
                "bb: Layer already exists",
                "aa: Pushing",
                "Pushing 40 % of 50.0 MB",
                "Pushing 80 % of 50.0 MB",
                "aa: Pushed",
                "1: digest: sha256:00 size: 1",
            ]
        );
    }
}
