//! Who makes which segment, and when: what workers, fetchers and the writer tell each other.
//!
//! ```text
//!  fetchers ── to_fetch ─► unknown ─► fetching ─┬─ deliver ─► done
//!                                               └─ is missing
//!  workers  ── take ─────► the blocks of one segment after the other; first of those that are known to be missing,
//!                          then of those that nobody fetches, and then of those that are being fetched
//!  writer   ── begun ────► segments in the order in which workers began them
//!           ── next ─────► their blocks, in order ─── deliver ─► done
//! ```
//!
//! What a worker and a fetcher both have at hand belongs to whoever is ready first, and the other drops its part.
//! Compressing takes the processor from fetching, so workers leave it to the fetchers as long as these bring one segment
//! after the other, but no longer than [`HOPE_MAX`] in all: after that they wait for nobody.
//!
//! A worker waits before it gets too far ahead of the writer, so memory holds a few blocks per thread.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Blocks, Output, Spooled, SpooledOf};

/// How long workers wait for the next segment that is fetched.
const HOPE: Duration = Duration::from_millis(500);
/// How long they do so in all.
const HOPE_MAX: Duration = Duration::from_secs(3);

/// Hands out blocks, and brings results back in order.
pub(super) struct Queue<B: Blocks> {
    state: Mutex<State<B>>,
    /// A result has come, a segment was begun or is done, or there was an error.
    came: Condvar,
    /// There may be something to take: the writer has taken a result, or a fetcher has answered; or all work shall stop.
    taken: Condvar,
    /// How many blocks may be taken or wait to be written.
    ahead: usize,
}

struct State<B: Blocks> {
    tasks: Vec<Task<B::Note>>,
    /// The tasks that workers have begun, in that order, and the numbers of their blocks.
    begun: Vec<Begun>,
    next_to_take: usize,
    next_to_write: usize,
    results: BTreeMap<usize, Output<B::Note>>,
    done: usize,
    /// Until when workers leave to fetchers what these may fetch, and until when they do so at most.
    hope: (Instant, Instant),
    error: Option<B::Error>,
    stopped: bool,
}

/// A segment to be made.
struct Task<N> {
    blocks: Range<usize>,
    stage: Stage,
    /// A worker has begun it.
    begun: bool,
    done: Option<Spooled<N>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nobody has asked a shared cache for it.
    Unknown,
    Fetching,
    /// No shared cache has it.
    Missing,
}

/// A segment that workers make: its blocks have numbers, in the order in which they are taken.
#[derive(Clone)]
struct Begun {
    task: usize,
    numbers: Range<usize>,
}

/// What a worker shall do that has nothing at hand.
enum Next {
    Begin(usize),
    /// Fetchers may be faster.
    Wait(Duration),
}

/// A block to be made.
pub(super) struct Ticket {
    /// Its place among the results.
    pub(super) number: usize,
    /// Which block it is.
    pub(super) block: usize,
}

impl<B: Blocks> Queue<B> {
    /// A queue of segments, which have these blocks. `fetch` says whether somebody asks shared caches for them.
    pub(super) fn new(segments: impl Iterator<Item = Range<usize>>, ahead: usize, fetch: bool) -> Queue<B> {
        let stage = if fetch { Stage::Unknown } else { Stage::Missing };
        let task = |blocks| Task {
            blocks,
            stage,
            begun: false,
            done: None,
        };
        let now = Instant::now();
        let state = State {
            tasks: segments.map(task).collect(),
            begun: Vec::new(),
            next_to_take: 0,
            next_to_write: 0,
            results: BTreeMap::new(),
            done: 0,
            hope: (now + HOPE, now + HOPE_MAX),
            error: None,
            stopped: false,
        };
        Queue {
            state: Mutex::new(state),
            came: Condvar::new(),
            taken: Condvar::new(),
            ahead,
        }
    }

    /// No code panics while it holds the lock, so its state is sound even when it is poisoned.
    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a worker: the next block, when the writer is near enough; none when there is nothing left to do.
    pub(super) fn take(&self) -> Option<Ticket> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            let begun = match state.current() {
                Some(begun) => begun,
                None => match state.next_task()? {
                    Next::Begin(task) => state.begin(task),
                    Next::Wait(time) => {
                        let waited = self.taken.wait_timeout(state, time);
                        state = waited.unwrap_or_else(PoisonError::into_inner).0;
                        continue;
                    }
                },
            };
            if state.next_to_take < state.next_to_write + self.ahead {
                // The writer may wait for a segment to be begun.
                self.came.notify_all();
                let number = state.next_to_take;
                state.next_to_take += 1;
                let block = state.tasks[begun.task].blocks.start + (number - begun.numbers.start);
                return Some(Ticket { number, block });
            }
            self.came.notify_all();
            state = self.taken.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// From a worker: the result of a block.
    pub(super) fn put(&self, number: usize, output: Output<B::Note>) {
        let mut state = self.lock();
        // The writer does not want it any more when the segment was fetched meanwhile.
        if number >= state.next_to_write {
            state.results.insert(number, output);
        }
        drop(state);
        self.came.notify_all();
    }

    /// For the writer: the segment that was begun after so many others; none when all are done.
    pub(super) fn begun(&self, count: usize) -> Result<Option<(usize, Range<usize>)>, B::Error> {
        let mut state = self.lock();
        loop {
            if let Some(error) = state.error.take() {
                return Err(error);
            }
            if let Some(begun) = state.begun.get(count) {
                return Ok(Some((begun.task, begun.numbers.clone())));
            }
            if state.done == state.tasks.len() {
                return Ok(None);
            }
            state = self.came.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// For the writer: the result of the next block of a task, when it has come; none when the task is done without it.
    pub(super) fn next(&self, task: usize, number: usize) -> Result<Option<Output<B::Note>>, B::Error> {
        let mut state = self.lock();
        loop {
            if let Some(error) = state.error.take() {
                return Err(error);
            }
            let output = state.results.remove(&number);
            if output.is_some() || state.tasks[task].done.is_some() {
                state.written(number + 1);
                drop(state);
                self.taken.notify_all();
                return Ok(output);
            }
            state = self.came.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// For the writer: nothing of these blocks is wanted any more.
    pub(super) fn skip(&self, numbers: Range<usize>) {
        self.lock().written(numbers.end);
        self.taken.notify_all();
    }

    /// For a fetcher: a segment that nobody has begun; none when there is nothing left to ask for.
    pub(super) fn to_fetch(&self) -> Option<usize> {
        let mut state = self.lock();
        if state.stopped {
            return None;
        }
        let waits = |task: &Task<B::Note>| task.stage == Stage::Unknown && !task.begun;
        let task = state.tasks.iter().position(waits)?;
        state.tasks[task].stage = Stage::Fetching;
        Some(task)
    }

    /// From a fetcher: no shared cache has it.
    pub(super) fn is_missing(&self, task: usize) {
        let mut state = self.lock();
        state.tasks[task].stage = Stage::Missing;
        state.go_on_hoping();
        drop(state);
        self.taken.notify_all();
    }

    /// Whether a segment is still to be made.
    pub(super) fn wants(&self, task: usize) -> bool {
        let state = self.lock();
        !state.stopped && state.tasks[task].done.is_none()
    }

    /// Whether workers have begun a segment.
    pub(super) fn is_begun(&self, task: usize) -> bool {
        self.lock().tasks[task].begun
    }

    /// A segment is complete; answers whether it is the first one that is.
    pub(super) fn deliver(&self, task: usize, spooled: SpooledOf<B>) -> bool {
        let mut state = self.lock();
        let is_first = state.tasks[task].done.is_none();
        if is_first {
            state.tasks[task].done = Some(spooled);
            state.done += 1;
            if !state.tasks[task].begun {
                state.go_on_hoping();
            }
        }
        drop(state);
        self.came.notify_all();
        self.taken.notify_all();
        is_first
    }

    /// All segments, when they are done.
    pub(super) fn finish(self) -> Result<Vec<SpooledOf<B>>, B::Error> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match state.error {
            // It happened when the last segment was done.
            Some(error) => Err(error),
            None => Ok(state.tasks.into_iter().filter_map(|task| task.done).collect()),
        }
    }

    pub(super) fn fail(&self, error: B::Error) {
        let mut state = self.lock();
        state.error.get_or_insert(error);
        state.stopped = true;
        drop(state);
        self.came.notify_all();
        self.taken.notify_all();
    }

    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.taken.notify_all();
    }
}

impl<B: Blocks> State<B> {
    /// The segment whose blocks are being taken, when there are any left.
    fn current(&mut self) -> Option<Begun> {
        let begun = self.begun.last()?;
        if self.tasks[begun.task].done.is_some() {
            // It was fetched meanwhile.
            self.next_to_take = begun.numbers.end;
        }
        (self.next_to_take < begun.numbers.end).then(|| begun.clone())
    }

    /// The segment to be begun next; none when all are begun or done.
    fn next_task(&self) -> Option<Next> {
        let open =
            |stage| move |task: &Task<B::Note>| !task.begun && task.done.is_none() && task.stage == stage;
        if let Some(task) = self.tasks.iter().position(open(Stage::Missing)) {
            return Some(Next::Begin(task));
        }
        // Fetchers begin at the front.
        let task = self.tasks.iter().rposition(open(Stage::Unknown));
        let task = task.or_else(|| self.tasks.iter().rposition(open(Stage::Fetching)))?;
        let left = self.hope.0.saturating_duration_since(Instant::now());
        Some(if left.is_zero() {
            Next::Begin(task)
        } else {
            Next::Wait(left)
        })
    }

    fn begin(&mut self, task: usize) -> Begun {
        self.tasks[task].begun = true;
        let first = self.next_to_take;
        let numbers = first..first + self.tasks[task].blocks.len();
        let begun = Begun { task, numbers };
        self.begun.push(begun.clone());
        begun
    }

    /// A fetcher has answered.
    fn go_on_hoping(&mut self) {
        let (until, most) = &mut self.hope;
        // Once given up, hope does not come back.
        let now = Instant::now();
        if *until > now {
            *until = (now + HOPE).min(*most);
        }
    }

    /// All blocks before this one are written, or not wanted.
    fn written(&mut self, next: usize) {
        self.next_to_write = self.next_to_write.max(next);
        self.results = self.results.split_off(&self.next_to_write);
    }
}
