//! Seconds since 1970 and the packed dates of directory entries, which know no time zone: here they are UTC.

/// 1980-01-01 00:00:00, the first time that FAT can express.
const FIRST: i64 = 315_532_800;
/// 2107-12-31 23:59:59, the last.
const LAST: i64 = 4_354_819_199;
const DAY: i64 = 86_400;

/// A date and time as a directory entry holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Bits 15–9: years since 1980; 8–5: month from 1; 4–0: day from 1.
    pub(crate) date: u16,
    /// Bits 15–11: hours; 10–5: minutes; 4–0: seconds by two.
    pub(crate) time: u16,
    /// Hundredths of a second beyond `time`: 100 for odd seconds.
    pub(crate) hundredths: u8,
}

impl Stamp {
    /// The time that is nearest to this many seconds since 1970.
    pub(crate) fn new(seconds: i64) -> Stamp {
        let seconds = seconds.clamp(FIRST, LAST) - FIRST;
        let (mut days, second) = (seconds / DAY, seconds % DAY);
        let mut year = 0;
        while days >= days_of_year(year) {
            days -= days_of_year(year);
            year += 1;
        }
        let mut month = 1;
        while days >= days_of_month(year, month) {
            days -= days_of_month(year, month);
            month += 1;
        }
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        Stamp {
            date: pack(year << 9 | month << 5 | (days + 1)),
            time: pack(hour << 11 | minute << 5 | (second / 2)),
            hundredths: if second % 2 == 1 { 100 } else { 0 },
        }
    }
}

/// Whether a time is one that FAT can express, but for an odd second, or none.
pub(crate) fn holds(seconds: i64) -> bool {
    matches!(seconds, 0 | 1 | FIRST..=LAST)
}

/// Seconds since 1970 of a date and time. What is out of range counts as the nearest that is in range.
pub(crate) fn seconds(date: u16, time: u16) -> i64 {
    let (date, time) = (i64::from(date), i64::from(time));
    let (year, month) = (date >> 9, (date >> 5 & 15).clamp(1, 12));
    let day = (date & 31).clamp(1, days_of_month(year, month));
    let days = (0..year).map(days_of_year).sum::<i64>()
        + (1..month).map(|month| days_of_month(year, month)).sum::<i64>()
        + (day - 1);
    let (hour, minute, second) = (time >> 11, time >> 5 & 63, (time & 31) * 2);
    FIRST + days * DAY + hour.min(23) * 3600 + minute.min(59) * 60 + second.min(58)
}

/// The years are counted from 1980; 2100 is the only fourth year in range that is no leap year.
fn is_leap(year: i64) -> bool {
    year % 4 == 0 && year != 120
}

fn days_of_year(year: i64) -> i64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The fields are in range, so their sum fits.
fn pack(bits: i64) -> u16 {
    u16::try_from(bits).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        let known = [
            (i64::MIN, 1980, 1, 1, 0, 0, 0),
            (1, 1980, 1, 1, 0, 0, 0),
            (951_782_400, 2000, 2, 29, 0, 0, 0),
            (1_700_000_001, 2023, 11, 14, 22, 13, 21),
            (4_107_542_400, 2100, 3, 1, 0, 0, 0),
            (i64::MAX, 2107, 12, 31, 23, 59, 59),
        ];
        for (seconds, year, month, day, hour, minute, second) in known {
            let stamp = Stamp {
                date: (year - 1980) << 9 | month << 5 | day,
                time: hour << 11 | minute << 5 | (second / 2),
                hundredths: if second % 2 == 1 { 100 } else { 0 },
            };
            assert_eq!(Stamp::new(seconds), stamp, "{seconds}");
        }
    }

    #[test]
    fn every_day_there_and_back() {
        for day in 0..(LAST - FIRST) / DAY {
            let then = FIRST + day * DAY + day % DAY / 2 * 2;
            let stamp = Stamp::new(then);
            assert_eq!(seconds(stamp.date, stamp.time), then);
        }
    }

    #[test]
    fn nonsense_is_some_time() {
        for date in 0..=u16::MAX {
            let then = seconds(date, !date);
            assert!((FIRST..=LAST).contains(&then));
        }
    }
}
