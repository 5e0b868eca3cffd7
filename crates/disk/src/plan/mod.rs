//! Planning: options and regions become an image and its map.

mod checks;
mod extended;
mod gpt;
mod mbr;
mod numbers;
mod places;
mod records;
mod table;
mod warning;
mod zeros;

use image::{Content, Image, Layout};

use crate::map::with_gaps;
use crate::{DiskId, Entry, Kind, MapEntry, Options, Region, Result, SectorSize};
use numbers::Role;
use places::Room;
pub use warning::Warning;

/// A planned disk.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The disk.
    pub image: Image,
    /// What lies where, with the table's parts and the gaps, in disk order; it covers the whole disk.
    pub map: Vec<MapEntry>,
    /// The unit of its addresses.
    pub sector_size: SectorSize,
    /// The disk's own id, when it has a table; that of a hybrid is its GPT's.
    pub id: Option<DiskId>,
    /// What works, and is worth a look.
    pub warnings: Vec<Warning>,
}

/// A region with its place.
struct Placed<'a> {
    region: &'a Region,
    start: u64,
    end: u64,
}

impl Placed<'_> {
    fn map_entry(&self, partition: Option<Entry>) -> MapEntry {
        let kind = match partition {
            Some(_) => Kind::Partition,
            None => Kind::Raw,
        };
        MapEntry {
            content_len: self.region.content.as_ref().map(Content::len),
            partition,
            label: self
                .region
                .partition
                .as_ref()
                .and_then(|partition| partition.label.clone()),
            ..MapEntry::new(kind, &self.region.name, self.start, self.end - self.start)
        }
    }
}

/// Finds what is wrong with a disk whatever the sizes of its regions are: names, numbers, types and ids.
///
/// # Errors
/// As [`plan`], without what depends on places.
pub fn check(options: &Options, regions: &[Region]) -> Result<()> {
    Room::new(options)?;
    enter(options, regions).map(drop)
}

/// Gives regions their places, checks everything, and makes an image of them.
///
/// # Errors
/// When something does not fit, overlaps, or breaks a rule of the table or the board.
pub fn plan(options: &Options, regions: &[Region]) -> Result<Planned> {
    let table = &options.table;
    let room = Room::new(options)?;
    let (roles, entries) = enter(options, regions)?;
    let placed = places::place(options, &room, regions, &roles)?;
    let size = places::disk_size(options, &room, &placed)?;
    checks::board(options, &placed)?;

    let regions: Vec<MapEntry> = placed
        .iter()
        .zip(entries)
        .map(|(placed, entry)| placed.map_entry(entry))
        .collect();
    let mut map = table.parts(&room, &regions, size);
    map.extend_from_slice(&regions);
    map.sort_by_key(|entry| (entry.start, entry.end));
    checks::places(&room, &map, size)?;
    mbr::check(&room, &map)?;

    let mut layout = Layout::new();
    table.put(&mut layout, options, &room, &map, size);
    for (placed, entry) in placed.iter().zip(&regions) {
        if let Some(content) = &placed.region.content {
            let content = zeros::within(content, options.board, entry.start)?;
            layout.put(entry.start, entry.label(), content);
        }
    }
    if let Some(board) = options.board {
        zeros::put(&mut layout, board, &map, size);
    }
    Ok(Planned {
        image: layout.finish(size)?,
        warnings: warning::warnings(options, &map),
        map: with_gaps(map, size),
        sector_size: options.sector_size,
        id: table.id(&options.seed),
    })
}

/// What the table says of each region, apart from its place.
fn enter(options: &Options, regions: &[Region]) -> Result<(Vec<Role>, Vec<Option<Entry>>)> {
    checks::names(regions)?;
    let roles = options.table.roles(regions)?;
    let entries = options.table.entries(&options.seed, regions, &roles)?;
    checks::board_types(options, regions, &entries)?;
    Ok((roles, entries))
}
