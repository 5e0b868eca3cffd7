//! Access lists: as text in archives, and as Linux has them in an attribute.
//!
//! The text is that of `acl_to_text`, with commas or lines; star and bsdtar write a user's number behind the name. The
//! attribute is an array of tag, permissions and number, [as the kernel has it][kernel].
//!
//! [kernel]: https://www.kernel.org/doc/html/latest/filesystems/ext4/attributes.html#posix-acls

/// The version of the attribute.
const VERSION: u32 = 2;

/// The number where there is none.
const NOBODY: u32 = u32::MAX;

const USER_OBJ: u16 = 1;
const USER: u16 = 2;
const GROUP_OBJ: u16 = 4;
const GROUP: u16 = 8;
const MASK: u16 = 16;
const OTHER: u16 = 32;

/// An access list, sorted as the attribute is.
#[derive(Debug)]
pub(crate) struct Acl {
    /// Tag, number and permissions of each line.
    lines: Vec<(u16, u32, u16)>,
}

impl Acl {
    /// The list of a text, or what is wrong with it.
    pub(crate) fn read(text: &[u8]) -> Result<Acl, String> {
        let no_sense = || "its access list makes no sense".to_string();
        let text = str::from_utf8(text).map_err(|_| no_sense())?;
        let mut lines = Vec::new();
        for line in text.split(['\n', ',']) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                lines.push(read_line(line)?.ok_or_else(no_sense)?);
            }
        }
        Acl::of(lines).ok_or_else(no_sense)
    }

    /// The list of an attribute's value; none when it makes no sense.
    pub(crate) fn of_value(value: &[u8]) -> Option<Acl> {
        let lines = value.strip_prefix(&VERSION.to_le_bytes())?;
        let lines = lines.chunks(8).map(|line| {
            let (tag, rest) = line.split_first_chunk()?;
            let (permissions, rest) = rest.split_first_chunk()?;
            let number = u32::from_le_bytes(rest.try_into().ok()?);
            Some((u16::from_le_bytes(*tag), number, u16::from_le_bytes(*permissions)))
        });
        Acl::of(lines.collect::<Option<_>>()?)
    }

    /// A list that is whole.
    fn of(mut lines: Vec<(u16, u32, u16)>) -> Option<Acl> {
        lines.sort_unstable();
        let known = [USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER];
        let odd = |line: &(u16, u32, u16)| !known.contains(&line.0) || line.2 > 7;
        let count = |tag| lines.iter().filter(|(found, ..)| *found == tag).count();
        let is_short = count(USER) + count(GROUP) == 0;
        let twice = lines
            .windows(2)
            .any(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1));
        let whole = [USER_OBJ, GROUP_OBJ, OTHER].map(count) == [1; 3];
        let is_sound = whole && !twice && !lines.iter().any(odd) && (is_short || count(MASK) == 1);
        is_sound.then_some(Acl { lines })
    }

    /// The permissions that a mode has of it.
    pub(crate) fn mode(&self) -> u16 {
        let of = |tag| {
            let line = self.lines.iter().find(|(found, ..)| *found == tag);
            line.map(|(.., permissions)| *permissions)
        };
        let group = of(MASK).or_else(|| of(GROUP_OBJ)).unwrap_or(0);
        of(USER_OBJ).unwrap_or(0) << 6 | group << 3 | of(OTHER).unwrap_or(0)
    }

    /// Whether it says more than a mode.
    pub(crate) fn is_extended(&self) -> bool {
        self.lines.len() > 3
    }

    /// The attribute's value.
    pub(crate) fn value(&self) -> Vec<u8> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        for (tag, number, permissions) in &self.lines {
            bytes.extend_from_slice(&tag.to_le_bytes());
            bytes.extend_from_slice(&permissions.to_le_bytes());
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes
    }
}

/// `tag:who:permissions`, perhaps with a number behind it.
fn read_line(line: &str) -> Result<Option<(u16, u32, u16)>, String> {
    let fields: Vec<&str> = line.split(':').map(str::trim).collect();
    let (tag, who, permissions, number) = match fields[..] {
        [tag, who, permissions] => (tag, who, permissions, None),
        [tag, who, permissions, number] => (tag, who, permissions, Some(number)),
        _ => return Ok(None),
    };
    let tag = match (tag, who) {
        ("user" | "u", "") => USER_OBJ,
        ("user" | "u", _) => USER,
        ("group" | "g", "") => GROUP_OBJ,
        ("group" | "g", _) => GROUP,
        ("mask" | "m", "") => MASK,
        ("other" | "o", "") => OTHER,
        _ => return Ok(None),
    };
    let mut bits = 0;
    for letter in permissions.bytes() {
        bits |= match letter {
            b'r' => 4,
            b'w' => 2,
            b'x' => 1,
            b'-' => 0,
            _ => return Ok(None),
        };
    }
    if !matches!(tag, USER | GROUP) {
        return Ok(Some((tag, NOBODY, bits)));
    }
    let number = number
        .or(Some(who))
        .and_then(|number| number.parse().ok())
        .filter(|number| *number != NOBODY);
    match number {
        Some(number) => Ok(Some((tag, number, bits))),
        None => Err(format!(
            "its access list names {}, and nobody here knows the number; pack it with --xattrs, or with bsdtar",
            image::show(who.as_bytes())
        )),
    }
}
