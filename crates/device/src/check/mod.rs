//! What must agree.

use std::ops::Range;

use crate::{
    Class, Definition, Device, Error, Keep, Made, Medium, Mount, Partition, Region, Result, Role, Size,
    Status, settings,
};

mod values;

pub(crate) use values::text;
use values::{apart, bad, bootnames, differ, named, numbered, out_of_range, path, range, twice, word};

/// Bytes that systemd-repart counts in.
const GRAIN: u64 = 4096;

/// The most slots of a class: the boot script names all their counters in one command.
const SLOTS_MAX: usize = 4;

/// The longest name of a partition in a table.
const NAME_MAX: usize = 36;

impl Definition {
    /// Finds what systemd-repart would not make.
    ///
    /// # Errors
    /// When its name, its size or its file system cannot be.
    pub fn check(&self) -> Result<()> {
        let what = format!("partition {}", self.name);
        check_name(&self.name)?;
        check_size(&what, self.size)?;
        let format = self.format.as_ref();
        format.map_or(Ok(()), |format| word(&format!("format of {what}"), format))
    }
}

/// A name that files and the table take.
fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > NAME_MAX {
        let what = format!("length of the partition's name {name:?}");
        range(&what, name.len() as u64, 1, NAME_MAX as u64)?;
    }
    word("partition", name)
}

fn check_size(what: &str, size: Size) -> Result<()> {
    let size = size.min();
    if size.is_multiple_of(GRAIN) && size > 0 {
        return Ok(());
    }
    let allowed = format!("a multiple of {GRAIN}: systemd-repart makes no other sizes");
    Err(out_of_range(&format!("size of {what}"), size, &allowed))
}

impl Device {
    /// Finds what does not fit together.
    ///
    /// # Errors
    /// When two things contradict each other, or one cannot be.
    pub fn check(&self) -> Result<()> {
        text("compatible", &self.compatible)?;
        range("attempts", self.attempts.into(), 1, 9)?;
        path("disk", &self.disk.node)?;
        if !self.disk.node.starts_with("/dev/") {
            return Err(bad("disk", &self.disk.node, "must be in /dev"));
        }
        path("keyring", &self.keyring)?;
        self.check_partitions()?;
        self.check_slots()?;
        self.check_environment()?;
        self.check_overlaps()?;
        self.check_first_boot()?;
        self.check_chooser()?;
        self.check_mounts()?;
        settings::check(self)
    }

    fn check_partitions(&self) -> Result<()> {
        for partition in &self.partitions {
            let what = format!("partition {}", partition.name);
            check_name(&partition.name)?;
            if partition.number == 0 {
                return Err(out_of_range(&format!("number of {what}"), 0, "1 or more"));
            }
            if partition.kind.guid().is_none() {
                let problem = "is no type of a GPT, which the first boot and the names of partitions need";
                return Err(bad(&what, &partition.kind.to_string(), problem));
            }
            check_size(&what, partition.size)?;
            if let Made::FirstBoot(Some(format)) = &partition.made {
                word(&format!("format of {what}"), format)?;
            }
        }
        for (index, one) in self.partitions.iter().enumerate() {
            for other in self.partitions.iter().skip(index + 1) {
                if one.name == other.name {
                    let what = format!("the name {:?}", one.name);
                    return Err(twice(&numbered(one), &numbered(other), what));
                }
                if one.number == other.number {
                    return Err(twice(
                        &named(one),
                        &named(other),
                        format!("the number {}", one.number),
                    ));
                }
                if one.number > other.number {
                    let what = format!(
                        "partition {}, after {} with number {}",
                        other.name, one.name, one.number
                    );
                    return Err(out_of_range(
                        &what,
                        other.number.into(),
                        "in the order of numbers",
                    ));
                }
            }
        }
        Ok(())
    }

    fn check_slots(&self) -> Result<()> {
        let bootable: Vec<&Class> = self
            .slots
            .iter()
            .filter(|class| matches!(class.role, Role::Boots(_)))
            .collect();
        let [boots] = bootable.as_slice() else {
            let what = "classes of slots with bootnames";
            return Err(out_of_range(what, bootable.len() as u64, "1: U-Boot chooses one"));
        };
        let what = format!("number of slots of {}", boots.name);
        range(&what, boots.partitions.len() as u64, 2, SLOTS_MAX as u64)?;
        for (index, class) in self.slots.iter().enumerate() {
            word("slot", &class.name)?;
            if class.name.contains('.') {
                return Err(bad(
                    "slot",
                    &class.name,
                    "must not hold a dot, which RAUC takes for its end",
                ));
            }
            if let Some(other) = self
                .slots
                .iter()
                .skip(index + 1)
                .find(|other| other.name == class.name)
            {
                return Err(twice(
                    "one class of slots",
                    "another",
                    format!("the name {:?}", other.name),
                ));
            }
            self.check_class(class, boots)?;
        }
        let mut used: Vec<(&str, &str)> = Vec::new();
        for class in &self.slots {
            for name in &class.partitions {
                if let Some((_, first)) = used.iter().find(|(known, _)| known == name) {
                    let (first, second) = (format!("slot {first}"), format!("slot {}", class.name));
                    return Err(twice(&first, &second, format!("partition {name}")));
                }
                used.push((name, &class.name));
            }
        }
        Ok(())
    }

    fn check_class(&self, class: &Class, boots: &Class) -> Result<()> {
        let place = format!("slot {}", class.name);
        let count = |what: &'static str, one: usize, other: &str, count: usize| {
            if one == count {
                return Ok(());
            }
            Err(differ(&place, other, what, &one.to_string(), &count.to_string()))
        };
        match &class.role {
            Role::Boots(names) => {
                count(
                    "their number",
                    class.partitions.len(),
                    "its bootnames",
                    names.len(),
                )?;
                bootnames(&place, names)?;
            }
            Role::Follows(parent) if *parent != boots.name => {
                return Err(Error::Unknown {
                    place,
                    what: "class of slots with bootnames",
                    name: parent.clone(),
                });
            }
            Role::Follows(_) => {
                let other = format!("slot {}", boots.name);
                count(
                    "the number of partitions",
                    class.partitions.len(),
                    &other,
                    boots.partitions.len(),
                )?;
            }
        }
        let mut first: Option<&Partition> = None;
        for name in &class.partitions {
            let partition = self.known(&place, name)?;
            // U-Boot reads partition numbers as hexadecimal, Linux as decimal, and slots' scripts use one for both.
            range(
                &format!("number of partition {name}, a slot"),
                partition.number.into(),
                1,
                9,
            )?;
            let Size::Exactly(size) = partition.size else {
                return Err(bad(
                    &place,
                    name,
                    "is a slot, and needs a size that does not depend on the disk",
                ));
            };
            if let Some(len) = class.image_len.filter(|len| *len > size) {
                return Err(Error::ImageTooLarge {
                    class: class.name.clone(),
                    len,
                    partition: name.clone(),
                    limit: size,
                });
            }
            let first = *first.get_or_insert(partition);
            same(first, partition)?;
        }
        Ok(())
    }

    fn check_environment(&self) -> Result<()> {
        let place = &self.environment;
        let unit = match &place.medium {
            Medium::Disk(_) => self.disk.sector_size,
            Medium::Other { node, erase_size } => {
                path("environment", node)?;
                if erase_size.is_some_and(|size| size == 0) {
                    return Err(out_of_range("the environment's erase size", 0, "more than 0"));
                }
                1
            }
        };
        let what = |copy: &str| format!("environment's {copy}");
        let multiple = format!("a multiple of the sector size, {unit}");
        let copies = [("first byte", Some(place.start)), ("second copy", place.second)];
        let starts = copies
            .into_iter()
            .filter_map(|(copy, start)| Some((copy, start?)));
        for (copy, value) in starts.chain([("size", place.size)]) {
            if !value.is_multiple_of(unit) {
                return Err(out_of_range(&what(copy), value, &multiple));
            }
        }
        let end = place.start.checked_add(place.size);
        let second_end = place
            .second
            .map_or(Some(0), |start| start.checked_add(place.size));
        if end.is_none() || second_end.is_none() {
            return Err(out_of_range(
                &what("size"),
                place.size,
                "less than what makes it end behind 16 EiB",
            ));
        }
        // It says so when the counters alone do not fit.
        uboot::environment(
            &self.first_counters(),
            &uboot::EnvironmentOptions::new(place.size),
        )?;
        Ok(())
    }

    /// The environment's copies: what errors call them, and their bytes.
    fn copies(&self) -> Vec<(String, Range<u64>)> {
        let place = &self.environment;
        let range = |start: u64| start..start.saturating_add(place.size);
        let mut copies = vec![("environment".to_owned(), range(place.start))];
        copies.extend(
            place
                .second
                .map(|start| ("environment's second copy".to_owned(), range(start))),
        );
        copies
    }

    fn check_overlaps(&self) -> Result<()> {
        let mut things: Vec<(String, Range<u64>)> = Vec::new();
        let partitions = self.partitions.iter();
        things.extend(partitions.filter_map(|partition| Some((named(partition), partition.range()?))));
        let own = match &self.environment.medium {
            Medium::Disk(region) => Some(region),
            Medium::Other { .. } => None,
        };
        for region in &self.disk.regions {
            if Some(&region.name) != own {
                things.push((format!("region {}", region.name), region.range.clone()));
            }
        }
        let copies = self.copies();
        if let [first, second] = copies.as_slice() {
            apart(first, second)?;
        }
        if let Some(name) = own {
            let region = self.disk.regions.iter().find(|region| region.name == *name);
            let region = region.ok_or_else(|| Error::Unknown {
                place: "environment".to_owned(),
                what: "region of the disk",
                name: name.clone(),
            })?;
            for (what, bytes) in &copies {
                if bytes.start < region.range.start || bytes.end > region.range.end {
                    return Err(Error::Outside {
                        what: format!("{what} (from byte {})", bytes.start),
                        end: bytes.end,
                        within: format!("region {name} (from byte {})", region.range.start),
                        limit: region.range.end,
                    });
                }
            }
            things.extend(copies);
        }
        for (index, one) in things.iter().enumerate() {
            if one.1.end > self.disk.size {
                return Err(Error::Outside {
                    what: one.0.clone(),
                    end: one.1.end,
                    within: "the disk".to_owned(),
                    limit: self.disk.size,
                });
            }
            for other in things.iter().skip(index + 1) {
                apart(one, other)?;
            }
        }
        Ok(())
    }

    /// systemd-repart takes the smallest gap into which a partition fits, and knows nothing of loaders.
    fn check_first_boot(&self) -> Result<()> {
        let made: Vec<&Partition> = self.partitions.iter().filter(|p| p.range().is_none()).collect();
        let mut taken: Vec<Range<u64>> = self.partitions.iter().filter_map(Partition::range).collect();
        taken.sort_by_key(|range| range.start);
        let mut last = self
            .partitions
            .iter()
            .filter(|p| p.range().is_some())
            .map(|p| p.number)
            .max()
            .unwrap_or(0);
        for partition in &made {
            if partition.number != last + 1 {
                let what = format!("number of {}, which the first boot makes", named(partition));
                let allowed = format!("{}, the next: systemd-repart leaves no numbers out", last + 1);
                return Err(out_of_range(&what, partition.number.into(), &allowed));
            }
            last = partition.number;
        }
        for gap in gaps(&taken, 2 * self.disk.sector_size) {
            let size = gap.end - gap.start;
            let inside = |region: &&Region| region.range.start < gap.end && region.range.end > gap.start;
            let region = self.disk.regions.iter().find(inside);
            let over = made.iter().find(|partition| partition.size.min() <= size);
            if let (Some(region), Some(partition)) = (region, over) {
                return Err(Error::OverLoader {
                    partition: partition.name.clone(),
                    size: partition.size.min(),
                    gap: match gap.end {
                        u64::MAX => format!("what is left of the disk from byte {} on", gap.start),
                        _ => format!("the gap of {size} bytes at byte {}", gap.start),
                    },
                    region: region.name.clone(),
                });
            }
        }
        Ok(())
    }

    fn check_chooser(&self) -> Result<()> {
        let chooser = &self.chooser;
        word("chooser's device type", &chooser.device_type)?;
        for (what, value) in [("address", &chooser.address), ("script", &chooser.script)] {
            if value.is_empty() || value.contains(|c: char| c.is_whitespace() || ";\"'&|\\#".contains(c)) {
                let problem = "must be one word of a command";
                return Err(bad(&format!("chooser's {what}"), value, problem));
            }
        }
        for command in &chooser.prepare {
            text("chooser's command", command)?;
        }
        if let Some(root) = &chooser.root
            && !self.slots.iter().any(|class| class.name == *root)
        {
            return Err(Error::Unknown {
                place: "chooser's root".to_owned(),
                what: "class of slots",
                name: root.clone(),
            });
        }
        if chooser.keep == Keep::Region {
            if let Medium::Other { node, .. } = &self.environment.medium {
                let problem = "is not the disk: the boot script reads and writes counters there";
                return Err(bad("environment", node, problem));
            }
            if let Some(start) = self.environment.second {
                let problem = "none: the boot script keeps counters once";
                return Err(out_of_range("environment's second copy", start, problem));
            }
        }
        Ok(())
    }

    fn check_mounts(&self) -> Result<()> {
        for mount in &self.mounts {
            let place = format!("mount {}", mount.at);
            self.known(&place, &mount.partition)?;
            path("mount", &mount.at)?;
            word("format of the mount", &mount.format)?;
            for option in &mount.options {
                if option.is_empty() || option.contains(|c: char| c.is_whitespace() || c == ',') {
                    return Err(bad(
                        "option of the mount",
                        option,
                        "must be one word without a comma",
                    ));
                }
            }
            range(&format!("pass of {place}"), mount.pass.into(), 0, 2)?;
            let of = |class: &&Class| class.partitions.contains(&mount.partition);
            if let Some(class) = self.slots.iter().find(of)
                && !mount.options.iter().any(|option| option == "noauto")
            {
                let problem = format!(
                    "is slot {}: RAUC writes to no slot that is mounted; add noauto",
                    class.name
                );
                return Err(bad(&place, &mount.partition, &problem));
            }
        }
        let (what, status) = match &self.status {
            Status::Directory(path) => ("data-directory", path),
            Status::File(path) => ("statusfile", path),
        };
        path(what, status)?;
        let holds = |mount: &&Mount| {
            let rest = status.strip_prefix(mount.at.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if self.mounts.is_empty() || self.mounts.iter().any(|mount| holds(&mount)) {
            return Ok(());
        }
        let at: Vec<&str> = self.mounts.iter().map(|mount| mount.at.as_str()).collect();
        let problem = format!(
            "is on none of the mounts {}, and would not outlive an update",
            at.join(", ")
        );
        Err(bad(what, status, &problem))
    }

    fn known(&self, place: &str, name: &str) -> Result<&Partition> {
        self.partition(name).ok_or_else(|| Error::Unknown {
            place: place.to_owned(),
            what: "partition",
            name: name.to_owned(),
        })
    }
}

/// What lies between sorted things, from a byte on, and behind the last.
fn gaps(taken: &[Range<u64>], start: u64) -> Vec<Range<u64>> {
    let ends = taken.iter().map(|range| range.end);
    let starts = std::iter::once(start).chain(ends);
    let next = taken.iter().map(|range| range.start).chain([u64::MAX]);
    let gaps = starts.zip(next).map(|(start, end)| start..end.max(start));
    gaps.collect()
}

/// Two slots of one class.
fn same(first: &Partition, second: &Partition) -> Result<()> {
    let (one, other) = (first.size.min(), second.size.min());
    let names = [named(first), named(second)];
    let [first_name, second_name] = [&names[0], &names[1]];
    if one != other {
        let (one, other) = (format!("{one} bytes"), format!("{other} bytes"));
        return Err(differ(first_name, second_name, "the size", &one, &other));
    }
    if first.kind.guid() != second.kind.guid() {
        let (one, other) = (first.kind.to_string(), second.kind.to_string());
        return Err(differ(first_name, second_name, "the type", &one, &other));
    }
    Ok(())
}
