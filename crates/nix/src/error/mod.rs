//! What can go wrong with closures, and whose fault it is.

mod told;

use std::fmt;
use std::io;
use std::path::PathBuf;

use told::{arrows, candidates, mismatch};

use crate::hash::Hash;
use crate::store_path::StorePath;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How many paths an error names at most.
pub(crate) const SHOWN_MAX: usize = 10;

/// An error of closures, registrations and stores.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A text that is no store path.
    #[error("{path}: not a store path: {problem}")]
    BadStorePath {
        /// The text, with odd characters escaped.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A text that is no SHA-256 digest.
    #[error("'{text}': not a hash: {problem}")]
    BadHash {
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A text that is no number.
    #[error("{what}: '{text}' is not a number")]
    BadNumber {
        /// The text.
        text: String,
        /// What the number is.
        what: &'static str,
    },
    /// A line that is not UTF-8.
    #[error("the line is not UTF-8")]
    NotText,
    /// More lines than a file should have.
    #[error("the file goes on after its only line")]
    Surplus,
    /// A file that ends in the middle of a line.
    #[error("the last line does not end in a newline; the file may be cut off")]
    NoNewline,
    /// A file that ends in the middle of a record.
    #[error("the file ends where the {what} should be")]
    Truncated {
        /// What is missing.
        what: &'static str,
    },
    /// A path that comes twice in a list.
    #[error("{path}: comes twice")]
    Duplicate {
        /// The path.
        path: StorePath,
    },
    /// An error in one line of a file.
    #[error("{}, line {line}: {problem}", file.display())]
    Line {
        /// The file on the host.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: Box<Error>,
    },
    /// An error in a file of no use to say a line of.
    #[error("{}: {problem}", file.display())]
    InFile {
        /// The file on the host.
        file: PathBuf,
        /// What is wrong with it.
        problem: Box<Error>,
    },
    /// JSON that is none, or says something else than a references graph.
    #[error("{problem}")]
    Json {
        /// What is wrong with it.
        problem: String,
    },
    /// The attributes of a derivation that did not ask for its closure.
    #[error("{}: has no key {attribute:?}, which exportReferencesGraph.{attribute} of a derivation with structured \
             attributes puts there", file.display())]
    NoGraph {
        /// The file on the host.
        file: PathBuf,
        /// The key.
        attribute: &'static str,
    },
    /// A file that cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The path on the host.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A path that a closureInfo lists and does not register.
    #[error("{path}: listed in {} but not in the registration beside it", list.display())]
    Unregistered {
        /// The path.
        path: StorePath,
        /// The list.
        list: PathBuf,
    },
    /// A path that a closureInfo registers and does not list.
    #[error("{path}: in the registration but not listed in {} beside it", list.display())]
    Unlisted {
        /// The path.
        path: StorePath,
        /// The list.
        list: PathBuf,
    },
    /// A sum of NAR sizes that is not what closureInfo says.
    #[error("{}: says {stated} bytes, the registration beside it adds up to {sum}", file.display())]
    TotalSize {
        /// The file with the sum.
        file: PathBuf,
        /// The sum in the file.
        stated: u64,
        /// The sum of the registration.
        sum: u128,
    },
    /// A path that refers to one that is not in the closure.
    #[error("{path}: refers to {reference}, which is not in the closure")]
    MissingReference {
        /// The path that refers.
        path: StorePath,
        /// The path that is missing.
        reference: StorePath,
    },
    /// A toplevel that is not in the closure.
    #[error("{path}: the toplevel is not one of the {count} paths of the closure")]
    ToplevelNotInClosure {
        /// The toplevel.
        path: StorePath,
        /// The number of paths.
        count: usize,
    },
    /// A path of which alone something is wanted, and that is not there.
    #[error("{path}: not one of the {count} paths of the closure")]
    NotInClosure {
        /// The path.
        path: StorePath,
        /// The number of paths.
        count: usize,
    },
    /// A closure of which nobody said what its toplevel is, and that does not show it.
    #[error("the toplevel must be given: {}", candidates(*count, shown))]
    AmbiguousToplevel {
        /// The first paths that no other path refers to.
        shown: Vec<StorePath>,
        /// The number of all such paths.
        count: usize,
    },
    /// A path of the closure that does not lie in the store of the host.
    #[error("{path}: not in the store: {} does not exist", looked_for.display())]
    NotInStore {
        /// The path.
        path: StorePath,
        /// Where it was looked for.
        looked_for: PathBuf,
    },
    /// A path of the closure that is not in the tree that was to be checked.
    #[error("{path}: not in the tree")]
    NotInTree {
        /// The path.
        path: StorePath,
    },
    /// A device, pipe or socket, which no store path can hold.
    #[error("{path}: {kind} cannot be in a store path")]
    SpecialFile {
        /// The path in the tree, with odd bytes escaped.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// Store paths whose bytes are not what was registered.
    #[error("{}", mismatch(*count, shown))]
    Mismatch {
        /// The first of them, in the order of the paths.
        shown: Vec<Difference>,
        /// The number of all of them.
        count: usize,
    },
    /// A registration cannot be written because something about a path is not known.
    #[error(
        "{path}: its {unknown} not known, so it cannot be registered; use a closureInfo instead of a list"
    )]
    Unknown {
        /// The path.
        path: StorePath,
        /// What is not known.
        unknown: &'static str,
    },
    /// A name, link or depth that no NAR can hold.
    #[error("{path}: cannot be in a NAR: {problem}")]
    NotForNar {
        /// The path in the tree, with odd bytes escaped.
        path: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A NAR that cannot be written.
    #[error("a NAR cannot be written: {source}")]
    WriteNar {
        /// What the system says.
        source: io::Error,
    },
    /// Bytes that are no NAR, or none that Nix would accept.
    #[error("{nar}: not a NAR, at byte {position}: {problem}")]
    BadNar {
        /// Where it comes from.
        nar: String,
        /// The place in the NAR, without compression.
        position: u64,
        /// What is wrong.
        problem: String,
    },
    /// A NAR that cannot be read.
    #[error("{nar}: cannot be read behind byte {position}: {source}")]
    ReadNar {
        /// Where it comes from.
        nar: String,
        /// The place in the NAR, without compression.
        position: u64,
        /// What the system or the decoder says.
        source: io::Error,
    },
    /// A NAR that is not what its narinfo says.
    #[error("{nar}: is not what its narinfo says: {difference}")]
    NarMismatch {
        /// Where it comes from.
        nar: String,
        /// What it should be, and what came.
        difference: Box<Difference>,
    },
    /// A path whose content is not what it follows from.
    #[error("{path}: its content is not {content_address}, which its name follows from")]
    NotItsContent {
        /// The path.
        path: StorePath,
        /// What the cache says.
        content_address: String,
    },
    /// A NAR that is not in the cache, while its narinfo is.
    #[error("{path}: the cache has its narinfo, but not its NAR {object}")]
    NoNar {
        /// The path.
        path: StorePath,
        /// The NAR.
        object: String,
    },
    /// A narinfo that makes no sense.
    #[error("{object}, line {line}: {problem}")]
    BadNarinfo {
        /// Where it comes from.
        object: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A narinfo of another path than was asked for.
    #[error("{object}: is about {found}, where {asked} was asked for")]
    OtherPath {
        /// Where it comes from.
        object: String,
        /// What was asked for.
        asked: StorePath,
        /// What it is about.
        found: StorePath,
    },
    /// An answer whose compression cannot be undone.
    #[error("{object}: {problem}")]
    BadEncoding {
        /// What was asked for.
        object: String,
        /// What is wrong.
        problem: String,
    },
    /// An address where no binary cache is.
    #[error("{cache}: is no binary cache: it has no nix-cache-info")]
    NotACache {
        /// Its address.
        cache: String,
    },
    /// A cache of another store.
    #[error("{cache}: is a cache of the store {store}, and images have /nix/store")]
    OtherStore {
        /// Its address.
        cache: String,
        /// The store's folder.
        store: String,
    },
    /// A path that no cache has.
    #[error("{path}: is not in {}", caches.join(", nor in "))]
    NotInCaches {
        /// The path.
        path: StorePath,
        /// The caches' addresses.
        caches: Vec<String>,
    },
    /// A path that nobody trusted has signed.
    #[error("{path}: from {cache}: is not to be trusted: {problem}")]
    Untrusted {
        /// The path.
        path: StorePath,
        /// The cache's address.
        cache: String,
        /// Why not.
        problem: String,
    },
    /// A text that is no public key.
    #[error("'{text}': not a public key: {problem}")]
    BadKey {
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A source that has more than was asked for, and was not told which paths are wanted.
    #[error("{from}: which store paths? name them in closure.paths, or the system in closure.toplevel")]
    NoRoots {
        /// The source.
        from: String,
    },
    /// A store's database that cannot be read.
    #[error("{}: cannot be read: {source}", database.display())]
    StoreDatabase {
        /// The database.
        database: PathBuf,
        /// What the library says.
        source: rusqlite::Error,
    },
    /// A store's database that is damaged.
    #[error("{}: is damaged: {problem}", database.display())]
    StoreDatabaseDamaged {
        /// The database.
        database: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A path that a store does not have.
    #[error("{path}: is not valid in the store of {}", database.display())]
    NotValid {
        /// The path.
        path: StorePath,
        /// The store's database.
        database: PathBuf,
    },
    /// A thread that ended unexpectedly.
    #[error("a thread that fetches ended unexpectedly")]
    ThreadLost,
    /// What is far away.
    #[error(transparent)]
    Remote(#[from] remote::Error),
    /// A system that a boot loader could not start.
    #[error("{path}: {problem}")]
    BadSystem {
        /// The path in the closure.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Paths that refer to each other in a circle, which Nix does not register.
    #[error("{}: refers to itself over other paths: {}", way.first().map_or("", StorePath::as_str), arrows(way))]
    Cycle {
        /// A path, the path that it refers to, and so on back to it.
        way: Vec<StorePath>,
    },
    /// A NAR larger than the database can say.
    #[error(
        "{path}: its NAR has {size} bytes, the limit of the store's database is {}",
        i64::MAX
    )]
    NarTooLarge {
        /// The path.
        path: StorePath,
        /// The bytes of its NAR in the registration.
        size: u64,
    },
    /// A path whose name ends like a derivation's, and that is none.
    #[error("{path}: is not a derivation, which its name says it is")]
    NotADerivation {
        /// The path.
        path: StorePath,
    },
    /// A database that could not be made.
    #[error("the store's database: {0}")]
    Database(#[from] rusqlite::Error),
    /// An error of trees and contents.
    #[error(transparent)]
    Image(#[from] image::Error),
}

/// A store path whose NAR is not what was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The path.
    pub path: StorePath,
    /// The hash in the registration.
    pub registered_hash: Hash,
    /// The NAR's bytes in the registration.
    pub registered_size: u64,
    /// The hash of what lies in the store.
    pub found_hash: Hash,
    /// The NAR's bytes of what lies in the store.
    pub found_size: u64,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference {
            path,
            registered_hash,
            registered_size,
            found_hash,
            found_size,
        } = self;
        write!(
            formatter,
            "{path}: registered as {registered_hash} ({registered_size} bytes), \
             found {found_hash} ({found_size} bytes)"
        )
    }
}
