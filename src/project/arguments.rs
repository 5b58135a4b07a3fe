//! What the command line of Maven says of profiles, properties and the POM: the pipeline's command and `.mvn/maven.config`.

use std::collections::BTreeMap;

/// Arguments that change how POMs are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    /// Profiles that are switched on, in order; those with `!` or `-` in front are left out.
    pub profiles: Vec<String>,
    /// Properties given by `-D`.
    pub properties: BTreeMap<String, String>,
    /// The POM, if another than `pom.xml` is named (`-f`).
    pub file: Option<String>,
}

impl Arguments {
    /// Reads a command: `["mvn", "-Pqa", "package"]`. What changes nothing here is passed over.
    pub fn read<'a>(command: impl IntoIterator<Item = &'a str>) -> Self {
        let mut read = Self::default();
        let mut words = command.into_iter();
        while let Some(word) = words.next() {
            let mut value = |short: &str, long: &str| -> Option<String> {
                if word == short || word == long {
                    return words.next().map(str::to_owned);
                }
                let rest = match word.strip_prefix(long) {
                    Some(rest) => rest.strip_prefix('=')?,
                    None if word.starts_with("--") => return None,
                    None => word.strip_prefix(short)?,
                };
                Some(rest.to_owned())
            };
            if let Some(names) = value("-P", "--activate-profiles") {
                read.profiles.extend(
                    names
                        .split(',')
                        .map(|name| name.trim_start_matches(['+', '?']))
                        .filter(|name| !name.is_empty() && !name.starts_with(['!', '-']))
                        .map(str::to_owned),
                );
            } else if let Some(property) = value("-D", "--define") {
                let (name, value) = property.split_once('=').unwrap_or((&property, "true"));
                read.properties.insert(name.to_owned(), value.to_owned());
            } else if let Some(file) = value("-f", "--file") {
                // `-fae`, `-ff`, `-fn` are other options.
                if !matches!(file.as_str(), "ae" | "f" | "n") || word == "-f" {
                    read.file = Some(file);
                }
            }
        }
        read
    }

    /// These, with those of the same name in `stronger` in their place.
    pub(super) fn under(mut self, stronger: &Self) -> Self {
        self.profiles.extend(stronger.profiles.iter().cloned());
        self.properties.extend(stronger.properties.clone());
        self.file = stronger.file.clone().or(self.file);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_properties_and_file_are_read_in_every_spelling() {
        let read = Arguments::read([
            "mvn",
            "-B",
            "-Pqa,!dev",
            "--activate-profiles",
            "x",
            "--activate-profiles=y",
            "-Drelease=11",
            "-D",
            "skipTests",
            "-fae",
            "-f",
            "app/pom.xml",
            "package",
        ]);
        assert_eq!(read.profiles, ["qa", "x", "y"]);
        assert_eq!(read.properties["release"], "11");
        assert_eq!(read.properties["skipTests"], "true");
        assert_eq!(read.file.as_deref(), Some("app/pom.xml"));
    }
}
