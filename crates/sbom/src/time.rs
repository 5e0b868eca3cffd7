//! Times as RFC 3339 has them.

/// The last second of the year 9999, behind which years have five digits.
pub const TIME_MAX: u64 = 253_402_300_799;

/// A time in UTC, as `2026-01-02T03:04:05Z`: the calendar of [days since 1970][civil].
///
/// [civil]: https://howardhinnant.github.io/date_algorithms.html#civil_from_days
pub(crate) fn rfc3339(time: u64) -> String {
    let (day, second) = (time.min(TIME_MAX) / 86_400, time.min(TIME_MAX) % 86_400);
    let shifted = day + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (time, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (315_532_800, "1980-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_764_403_200, "2025-11-29T08:00:00Z"),
            (TIME_MAX, "9999-12-31T23:59:59Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(time), text);
        }
    }
}
