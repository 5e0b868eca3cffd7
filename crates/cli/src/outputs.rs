//! How images become files.

use std::sync::Arc;

use image::{Content, Encode, Image, Layout, Listen, Progress, Spool, Target, Through, Written};
use spec::Transport;
use transport::{Bmap, Encoder};

use crate::failure::Failure;

/// Lets what an image's data were spooled into become its file, where it can.
pub(crate) fn complete(target: Target, image: &Image, spool: Option<&Spool>, transport: Transport) -> Target {
    match spool.filter(|_| transport.compress.is_none()) {
        Some(spool) => target.complete(image, spool),
        None => target,
    }
}

/// Writes an image as it shall travel, and answers with its block map when it has one.
pub(crate) fn write(
    target: Target,
    image: &Image,
    transport: Transport,
    threads: usize,
    progress: &dyn Progress,
) -> Result<(Written, Option<Vec<u8>>), Failure> {
    let encoder = transport.compress.map(|options| Encoder::new(options, threads));
    let encoder = encoder.transpose();
    let encoder = encoder.map_err(|error| Failure::output(error.to_string(), None))?;
    let mut bmap = transport.bmap.then(Bmap::new);
    let through = Through {
        encode: encoder.map(|encoder| Box::new(encoder) as Box<dyn Encode>),
        listen: bmap.as_mut().map(|bmap| bmap as &mut dyn Listen),
        sha256: transport.sums,
        threads,
    };
    let written = target.write_through(image, through, progress)?;
    Ok((written, bmap.map(Bmap::finish)))
}

/// A content as an image of its own.
pub(crate) fn alone(content: &Content) -> Result<Arc<Image>, Failure> {
    if let Content::Image(image) = content {
        return Ok(Arc::clone(image));
    }
    let mut layout = Layout::new();
    layout.put(0, "content", content.clone());
    Ok(Arc::new(layout.finish(content.len())?))
}
