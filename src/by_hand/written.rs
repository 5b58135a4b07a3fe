//! A Dockerfile that was judged and found good.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::definition::ImageName;
use crate::dockerfile::{CONTEXT_HOUSE, IMAGE_DOCKERFILE, PinnedBase};

/// The text, and where images are named in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub(super) text: String,
    /// Byte ranges of names, in their order.
    pub(super) images: Vec<(Range<usize>, ImageName)>,
    /// What the last stage stands on.
    pub(super) base: ImageName,
}

impl Written {
    /// What the image stands on.
    pub fn base(&self) -> &ImageName {
        &self.base
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All images that it names.
    pub fn images(&self) -> BTreeSet<&str> {
        self.images.iter().map(|(_, image)| image.as_str()).collect()
    }

    /// The text as it is built: each image by its digest, lines where they were, and behind them the one instruction that
    /// puts this very text into the image.
    ///
    /// # Errors
    /// The name of an image without a pin.
    pub fn pinned(&self, pins: &BTreeMap<String, PinnedBase>) -> Result<String, String> {
        let mut text = self.text.clone();
        for (place, image) in self.images.iter().rev() {
            let pin = pins.get(image.as_str()).ok_or_else(|| image.to_string())?;
            text.replace_range(place.clone(), pin.as_str());
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let directory = IMAGE_DOCKERFILE.rsplit_once('/').map_or("", |(directory, _)| directory);
        Ok(format!(
            "{text}# Added by Seaworthy: the image carries its Dockerfile.\nCOPY --chown=0:0 {CONTEXT_HOUSE}{directory}/ {directory}/\n"
        ))
    }
}
