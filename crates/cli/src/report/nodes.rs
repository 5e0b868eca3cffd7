//! Parts of the whole, and their sums.

use inspect::Inside;
use report::{Bytes, Class, Node, NodeKind, Region, RegionKind, most_of};

/// What bytes are called that damage keeps from being looked into.
pub(super) const UNREAD: &str = "what could not be read";

/// Something without parts.
pub(super) fn leaf(name: &str, kind: NodeKind, class: Class, image: u64) -> Node {
    Node {
        name: name.into(),
        kind,
        bytes: Bytes { image, unpacked: 0 },
        class,
        ..Node::default()
    }
}

/// All of an image, without anything in it yet.
pub(super) fn image(name: &str) -> Node {
    Node {
        name: name.into(),
        kind: NodeKind::Image,
        ..Node::default()
    }
}

/// An image without parts is its only region.
pub(super) fn undivided(mut root: Node, inside: &Inside) -> (Node, Vec<Region>) {
    sum(&mut root);
    let region = Region {
        name: root.name.clone(),
        kind: RegionKind::Image,
        format: Some(inside.plain().format().name().into()),
        ..Region::default()
    };
    let region = measured(region, &root);
    (root, vec![region])
}

/// What is damaged, as so many bytes.
pub(super) fn unread(len: u64) -> Node {
    leaf(UNREAD, NodeKind::Raw, Class::Data, len)
}

/// What some parts take. Lengths come from images, so that their sum can be too large for a number: then it is the largest.
pub(super) fn total<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> Bytes {
    let bytes = nodes.into_iter().map(|node| node.bytes);
    bytes.fold(Bytes::default(), Bytes::plus)
}

/// What something takes is what its parts take.
pub(super) fn sum(node: &mut Node) {
    if !node.children.is_empty() {
        node.bytes = total(&node.children);
        node.files = node.children.iter().map(|child| child.files).sum();
        node.class = most_of(&node.children);
    }
}

/// Lets a part take so many bytes in the image, and what is in it as many in proportion: what is compressed as a whole.
pub(super) fn scale(node: &mut Node, image: u64) {
    let before = node.bytes.image;
    if before == image {
        return;
    }
    node.bytes.image = image;
    let (mut seen, mut given) = (0_u64, 0);
    for child in &mut node.children {
        seen = seen.saturating_add(child.bytes.image);
        let end = u128::from(image) * u128::from(seen) / u128::from(before.max(1));
        let end = u64::try_from(end).unwrap_or(image).min(image);
        scale(child, end - given);
        given = end;
    }
}

/// A region with what is known of its contents.
pub(super) fn measured(region: Region, node: &Node) -> Region {
    Region {
        size: node.bytes.image,
        free: free(node),
        unpacked: node.bytes.unpacked,
        files: node.files,
        ..region
    }
}

fn free(node: &Node) -> u64 {
    match node.kind {
        NodeKind::Free => node.bytes.image,
        _ => node.children.iter().map(free).fold(0, u64::saturating_add),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two regions that claim all bytes that there can be.
    #[test]
    fn sums_end_where_numbers_do() {
        let mut root = image("hostile");
        for name in ["one", "other"] {
            let mut node = leaf(name, NodeKind::Free, Class::Free, u64::MAX);
            node.bytes.unpacked = u64::MAX;
            root.children.push(node);
        }
        sum(&mut root);
        let largest = Bytes {
            image: u64::MAX,
            unpacked: u64::MAX,
        };
        assert_eq!((root.bytes, free(&root)), (largest, u64::MAX));
        let region = measured(Region::default(), &root);
        assert_eq!((region.size, region.free), (u64::MAX, u64::MAX));
    }
}
