//! The document: CycloneDX 1.6, JSON (ECMA-424). Written without a time and with a serial number that follows from the
//! content, so that the same WAR always gives the same bytes; and read back, for what a registry keeps.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Entry, Evidence, Sbom};
use crate::model::{Component, Digest};

/// Media type of the document, also the artifact type under which registries keep it.
pub const MEDIA_TYPE: &str = "application/vnd.cyclonedx+json";

/// A document that this program did not write.
#[derive(Debug, thiserror::Error)]
#[error("the bill of materials is not as Seaworthy writes it: {0}")]
pub struct BadDocument(String);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    bom_format: String,
    spec_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    serial_number: Option<String>,
    version: u32,
    metadata: Metadata,
    components: Vec<Library>,
}

#[derive(Serialize, Deserialize)]
struct Metadata {
    tools: Tools,
    component: Application,
}

#[derive(Serialize, Deserialize)]
struct Tools {
    components: Vec<Tool>,
}

#[derive(Serialize, Deserialize)]
struct Tool {
    r#type: String,
    name: String,
    version: String,
}

#[derive(Serialize, Deserialize)]
struct Application {
    r#type: String,
    #[serde(rename = "bom-ref")]
    bom_ref: String,
    name: String,
    hashes: Vec<Hash>,
}

#[derive(Serialize, Deserialize)]
struct Library {
    r#type: String,
    #[serde(rename = "bom-ref")]
    bom_ref: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    group: String,
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    version: String,
    hashes: Vec<Hash>,
    purl: String,
    evidence: Proof,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize, Deserialize)]
struct Hash {
    alg: String,
    content: String,
}

#[derive(Serialize, Deserialize)]
struct Proof {
    identity: Vec<Identity>,
    occurrences: Vec<Occurrence>,
}

#[derive(Serialize, Deserialize)]
struct Identity {
    field: String,
    confidence: f64,
    methods: Vec<Method>,
}

#[derive(Serialize, Deserialize)]
struct Method {
    technique: String,
    confidence: f64,
    value: String,
}

#[derive(Serialize, Deserialize)]
struct Occurrence {
    location: String,
}

#[derive(Serialize, Deserialize)]
struct Property {
    name: String,
    value: String,
}

/// Property: the package that all classes are in, where the group is not known.
const PACKAGE: &str = "seaworthy:package";
/// Property: why the jar was not looked into.
const NOTE: &str = "seaworthy:note";

impl Evidence {
    /// How sure, from 0 to 1, by which technique of CycloneDX, and by which file.
    fn terms(self) -> (f64, &'static str, &'static str) {
        match self {
            Self::PomProperties => (1.0, "manifest-analysis", "pom.properties"),
            Self::Manifest => (0.7, "manifest-analysis", "META-INF/MANIFEST.MF"),
            Self::FileName => (0.4, "filename", "file name"),
        }
    }
}

impl Sbom {
    /// The document's bytes; equal for equal content.
    pub fn document(&self) -> Vec<u8> {
        let mut document = Document {
            bom_format: "CycloneDX".to_owned(),
            spec_version: "1.6".to_owned(),
            serial_number: None,
            version: 1,
            metadata: Metadata {
                tools: Tools {
                    components: vec![Tool {
                        r#type: "application".to_owned(),
                        name: "seaworthy".to_owned(),
                        version: env!("CARGO_PKG_VERSION").to_owned(),
                    }],
                },
                component: Application {
                    r#type: "application".to_owned(),
                    bom_ref: self.war.to_string(),
                    name: self.name.clone(),
                    hashes: vec![hash("SHA-256", self.war.hex())],
                },
            },
            components: self.entries.iter().map(library).collect(),
        };
        let bytes = |document: &Document| {
            serde_json::to_vec_pretty(document).expect("texts and finite numbers are always JSON")
        };
        let sum = Sha256::digest(bytes(&document));
        let mut sixteen = [0; 16];
        sixteen.copy_from_slice(&sum[..16]);
        let serial = uuid::Builder::from_custom_bytes(sixteen).into_uuid();
        document.serial_number = Some(format!("urn:uuid:{serial}"));
        bytes(&document)
    }

    /// Reads a document that [`Sbom::document`] wrote, maybe in another version of this program.
    ///
    /// # Errors
    /// It is another program's, or damaged.
    pub fn from_document(bytes: &[u8]) -> Result<Self, BadDocument> {
        let document: Document = serde_json::from_slice(bytes).map_err(|error| BadDocument(error.to_string()))?;
        let war = document
            .metadata
            .component
            .bom_ref
            .parse::<Digest>()
            .map_err(|error| BadDocument(error.to_string()))?;
        Ok(Self {
            name: document.metadata.component.name,
            war,
            entries: document.components.into_iter().map(entry).collect::<Result<_, _>>()?,
        })
    }
}

fn library(entry: &Entry) -> Library {
    let Component {
        group,
        artifact,
        version,
        package,
    } = &entry.component;
    let purl = purl(&entry.component);
    let (confidence, technique, by) = entry.evidence.terms();
    let property = |name: &str, value: &str| Property {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let properties = [(PACKAGE, Some(package.as_str())), (NOTE, entry.note.as_deref())];
    Library {
        r#type: "library".to_owned(),
        bom_ref: format!("{}#{purl}", entry.path),
        group: group.clone(),
        name: artifact.clone(),
        version: version.clone(),
        hashes: vec![hash("SHA-1", &entry.sha1), hash("SHA-256", &entry.sha256)],
        evidence: Proof {
            identity: vec![Identity {
                field: "purl".to_owned(),
                confidence,
                methods: vec![Method {
                    technique: technique.to_owned(),
                    confidence,
                    value: by.to_owned(),
                }],
            }],
            occurrences: vec![Occurrence {
                location: entry.path.clone(),
            }],
        },
        properties: properties
            .into_iter()
            .filter_map(|(name, value)| Some(property(name, value.filter(|value| !value.is_empty())?)))
            .collect(),
        purl,
    }
}

fn entry(library: Library) -> Result<Entry, BadDocument> {
    let missing = |what: &str| BadDocument(format!("{} has no {what}", library.bom_ref));
    let sum = |alg: &str| {
        library
            .hashes
            .iter()
            .find(|hash| hash.alg == alg)
            .map(|hash| hash.content.clone())
    };
    let property = |name: &str| {
        library
            .properties
            .iter()
            .find(|found| found.name == name)
            .map(|found| found.value.clone())
    };
    let method = library
        .evidence
        .identity
        .iter()
        .flat_map(|identity| &identity.methods)
        .next();
    let evidence = [Evidence::PomProperties, Evidence::Manifest, Evidence::FileName]
        .into_iter()
        .find(|evidence| method.is_some_and(|method| method.value == evidence.terms().2));
    Ok(Entry {
        path: library
            .evidence
            .occurrences
            .first()
            .map(|at| at.location.clone())
            .ok_or_else(|| missing("place"))?,
        evidence: evidence.ok_or_else(|| missing("evidence"))?,
        sha256: sum("SHA-256").ok_or_else(|| missing("SHA-256"))?,
        sha1: sum("SHA-1").ok_or_else(|| missing("SHA-1"))?,
        note: property(NOTE),
        component: Component {
            package: property(PACKAGE).unwrap_or_default(),
            group: library.group,
            artifact: library.name,
            version: library.version,
        },
    })
}

fn hash(alg: &str, content: &str) -> Hash {
    Hash {
        alg: alg.to_owned(),
        content: content.to_owned(),
    }
}

/// The package URL (purl specification, type `maven`). Without a group there is no such URL, so it is a `generic` one.
pub(super) fn purl(component: &Component) -> String {
    let mut purl = match component.group.as_str() {
        "" => "pkg:generic/".to_owned(),
        group => format!("pkg:maven/{}/", encode(group)),
    };
    purl.push_str(&encode(&component.artifact));
    if !component.version.is_empty() {
        purl.push('@');
        purl.push_str(&encode(&component.version));
    }
    purl
}

/// Percent-encoding as purl wants it: everything but letters, digits and `.-_~`.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'.' | b'-' | b'_' | b'~' => encoded.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Sbom {
        let entry = |path: &str, group: &str, artifact: &str, version: &str, evidence| Entry {
            path: path.to_owned(),
            component: Component {
                group: group.to_owned(),
                artifact: artifact.to_owned(),
                version: version.to_owned(),
                package: if group.is_empty() {
                    "org.springframework.beans".to_owned()
                } else {
                    String::new()
                },
            },
            evidence,
            sha256: "ab".repeat(32),
            sha1: "cd".repeat(20),
            note: group.is_empty().then(|| "It is strange.".to_owned()),
        };
        Sbom {
            name: "shop.war".to_owned(),
            war: Digest::of(b"war"),
            entries: vec![
                entry(
                    "WEB-INF/lib/a.jar",
                    "org.apache.logging.log4j",
                    "log4j-core",
                    "2.17.1",
                    Evidence::PomProperties,
                ),
                entry(
                    "WEB-INF/lib/b.jar!/c.jar",
                    "",
                    "spring beans",
                    "1.0+x",
                    Evidence::Manifest,
                ),
                entry("WEB-INF/lib/d.jar", "", "d", "", Evidence::FileName),
            ],
        }
    }

    #[test]
    fn equal_content_is_equal_bytes_and_other_content_another_number() {
        let (one, other) = (sample(), sample());
        assert_eq!(one.document(), other.document());
        let mut changed = sample();
        changed.entries[0].component.version = "2.17.2".to_owned();
        let serial = |sbom: &Sbom| {
            let value: serde_json::Value = serde_json::from_slice(&sbom.document()).expect("JSON");
            value["serialNumber"].as_str().expect("a text").to_owned()
        };
        assert_ne!(serial(&one), serial(&changed));
        assert!(serial(&one).starts_with("urn:uuid:") && serial(&one).len() == 45);
    }

    #[test]
    fn a_document_is_read_back_whole() {
        let sbom = sample();
        assert_eq!(Sbom::from_document(&sbom.document()).expect("its own"), sbom);
        assert!(Sbom::from_document(b"{\"bomFormat\":\"CycloneDX\"}").is_err());
    }

    #[test]
    fn a_purl_holds_nothing_that_ends_it() {
        let sbom = sample();
        let purls: Vec<String> = sbom.entries.iter().map(|entry| purl(&entry.component)).collect();
        assert_eq!(
            purls,
            [
                "pkg:maven/org.apache.logging.log4j/log4j-core@2.17.1",
                "pkg:generic/spring%20beans@1.0%2Bx",
                "pkg:generic/d"
            ]
        );
    }
}
