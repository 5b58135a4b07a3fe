//! What lies in an image, without starting anything of it: a container is made, read, and taken away.

use std::io::{self, Read};

use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{CreateContainerOptionsBuilder, DownloadFromContainerOptionsBuilder};
use flate2::Crc;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::container::{labels_of, remove_container};
use super::network::unique_name;
use super::{Engine, EngineError, ErrorKind, Owner, pipe};

/// Entries that are looked at.
const MOST: usize = 500_000;

/// Something at a path in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// Below the directory that was asked for, without it.
    pub path: String,
    /// What it is.
    pub kind: ImageFileKind,
    /// Number of its owner.
    pub owner: u64,
    /// May others than its owner write it?
    pub others_write: bool,
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFileKind {
    /// A directory.
    Directory,
    /// A file with this many bytes and this CRC-32.
    File {
        /// Bytes.
        size: u64,
        /// Of its content.
        crc32: u32,
    },
    /// A link or a device.
    Other,
}

impl Engine {
    /// All that is in a directory of an image, in no order; nothing if the image does not have it.
    pub async fn image_files(
        &self,
        image: &str,
        directory: &str,
        owner: &Owner,
    ) -> Result<Option<Vec<ImageFile>>, EngineError> {
        let doing = format!("looking into the image {image}");
        let docker = self.docker().await?;
        let name = unique_name(owner);
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            labels: Some(labels_of(owner)),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        };
        docker
            .create_container(Some(options), body)
            .await
            .map_err(|e| self.error(&doing, e))?;
        let found = self.read_files(&name, directory, &doing).await;
        let removed = remove_container(self, &name).await;
        let found = found?;
        removed?;
        Ok(found)
    }

    async fn read_files(
        &self,
        container: &str,
        directory: &str,
        doing: &str,
    ) -> Result<Option<Vec<ImageFile>>, EngineError> {
        let docker = self.docker().await?;
        let options = DownloadFromContainerOptionsBuilder::new().path(directory).build();
        let mut stream = docker.download_from_container(container, Some(options));
        let idle = self.options().idle_timeout;
        let (blocks, receiver) = mpsc::channel(pipe::BLOCKS);
        let reader = tokio::task::spawn_blocking(move || list(pipe::BlockReader::new(receiver)));
        loop {
            let block = match tokio::time::timeout(idle, stream.next()).await {
                Err(_) => return Err(self.silent(doing, idle)),
                Ok(None) => break,
                Ok(Some(Ok(block))) => block,
                Ok(Some(Err(error))) => {
                    let error = self.error(doing, error);
                    let gone = error.cause().contains("No such container");
                    return match error.kind() {
                        ErrorKind::Missing if !gone => Ok(None),
                        _ => Err(error),
                    };
                }
            };
            // The reader ends early when there is too much: its own result then says so.
            if blocks.send(Ok(block)).await.is_err() {
                break;
            }
        }
        drop(blocks);
        let listed = reader
            .await
            .map_err(|error| self.fail(ErrorKind::Internal, doing, error.to_string()))?;
        let listed = listed.map_err(|error| self.fail(ErrorKind::Internal, doing, error.to_string()))?;
        Ok(Some(listed))
    }
}

/// The entries of an archive whose first part of each path is the directory itself.
fn list(archive: impl Read) -> io::Result<Vec<ImageFile>> {
    let mut files = Vec::new();
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let (_, inside) = path.trim_start_matches('/').split_once('/').unwrap_or((&path, ""));
        let inside = inside.trim_end_matches('/').to_owned();
        if inside.is_empty() {
            continue;
        }
        if files.len() == MOST {
            return Err(io::Error::other(format!("there are more than {MOST} files")));
        }
        let header = entry.header();
        let (owner, mode) = (header.uid()?, header.mode()?);
        let kind = match header.entry_type() {
            tar::EntryType::Directory => ImageFileKind::Directory,
            tar::EntryType::Regular => checksum(&mut entry)?,
            _ => ImageFileKind::Other,
        };
        files.push(ImageFile {
            path: inside,
            kind,
            owner,
            others_write: mode & 0o022 != 0,
        });
    }
    Ok(files)
}

fn checksum(content: &mut impl Read) -> io::Result<ImageFileKind> {
    let (mut crc, mut size) = (Crc::new(), 0);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = content.read(&mut buffer)?;
        if read == 0 {
            return Ok(ImageFileKind::File { size, crc32: crc.sum() });
        }
        crc.update(&buffer[..read]);
        size += read as u64;
    }
}
