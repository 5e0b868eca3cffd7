//! Times: seconds since 1970, which somebody else has read from a clock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use der::asn1::{GeneralizedTime, UtcTime};
use der::{DateTime, Decode, Encode};

use crate::tlv::Parsed;

/// Seconds since the beginning of 1970, in UTC and at most to the end of the year 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

/// The last second of the year 9999, behind which X.509 has no times.
const LAST: u64 = 253_402_300_799;

/// The first second of 2050: from then on signatures have times with four digits of the year.
const LONG_FROM: u64 = 2_524_608_000;

impl Time {
    /// A time by its seconds since 1970. `None` for one behind the year 9999.
    #[must_use]
    pub fn from_seconds(seconds: u64) -> Option<Time> {
        (seconds <= LAST).then_some(Time(seconds))
    }

    /// Its seconds since 1970.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0
    }

    /// Year, month, day, hour, minute and second in UTC.
    #[must_use]
    pub fn calendar(self) -> (u16, [u8; 5]) {
        let time = DateTime::from_unix_duration(Duration::from_secs(self.0));
        time.map_or((1970, [1, 1, 0, 0, 0]), |time| {
            let fields = [
                time.month(),
                time.day(),
                time.hour(),
                time.minutes(),
                time.seconds(),
            ];
            (time.year(), fields)
        })
    }

    /// Reads the DER of an ASN.1 `UTCTime` or `GeneralizedTime`, each only for the years that belong to it.
    pub(crate) fn from_der(der: &[u8]) -> Parsed<Time> {
        let (time, long) = match der.first() {
            Some(0x17) => (UtcTime::from_der(der).map(|time| time.to_unix_duration()), false),
            Some(0x18) => (
                GeneralizedTime::from_der(der).map(|time| time.to_unix_duration()),
                true,
            ),
            _ => return Err("a time has the type of something else".into()),
        };
        let time = time.map_err(|error| format!("a time cannot be read: {error}"))?;
        if (time.as_secs() >= LONG_FROM) != long {
            return Err("a time has the type of other years".into());
        }
        Ok(Time(time.as_secs()))
    }

    /// The DER that RFC 5652 wants: `UTCTime` to the end of 2049, `GeneralizedTime` behind it.
    pub(crate) fn to_der(self) -> Parsed<Vec<u8>> {
        let since = Duration::from_secs(self.0);
        let der = if self.0 < LONG_FROM {
            UtcTime::from_unix_duration(since).and_then(|time| time.to_der())
        } else {
            GeneralizedTime::from_unix_duration(since).and_then(|time| time.to_der())
        };
        der.map_err(|error| format!("a time cannot be written: {error}"))
    }
}

impl From<x509_cert::time::Time> for Time {
    fn from(time: x509_cert::time::Time) -> Time {
        Time(time.to_unix_duration().as_secs())
    }
}

impl fmt::Display for Time {
    /// As RFC 3339 has it: `2026-01-02T03:04:05Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_unix_duration(Duration::from_secs(self.0)) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{} s", self.0),
        }
    }
}

impl FromStr for Time {
    type Err = String;

    /// `2026-01-02T03:04:05Z`, `2026-01-02`, or seconds since 1970.
    fn from_str(text: &str) -> Result<Time, String> {
        let wrong =
            || format!("{text}: is no time; write 2026-01-02T03:04:05Z, 2026-01-02 or seconds since 1970");
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().ok().and_then(Time::from_seconds).ok_or_else(wrong);
        }
        let whole = if text.len() == 10 {
            format!("{text}T00:00:00Z")
        } else {
            text.to_owned()
        };
        let time: DateTime = whole.parse().map_err(|_| wrong())?;
        Time::from_seconds(time.unix_duration().as_secs()).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_they_are_read() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2049-12-31T23:59:59Z", LONG_FROM - 1),
            ("2050-01-01T00:00:00Z", LONG_FROM),
            ("9999-12-31T23:59:59Z", LAST),
        ] {
            let time: Time = text.parse().unwrap();
            assert_eq!((time.seconds(), time.to_string()), (seconds, text.to_owned()));
            assert_eq!(Time::from_der(&time.to_der().unwrap()), Ok(time));
            assert_eq!(seconds.to_string().parse(), Ok(time));
        }
        assert_eq!("2026-01-02".parse::<Time>().unwrap().seconds(), 1_767_312_000);
        assert_eq!(Time(LONG_FROM - 1).to_der().unwrap(), b"\x17\x0d491231235959Z");
        assert_eq!(Time(LONG_FROM).to_der().unwrap(), b"\x18\x0f20500101000000Z");
        assert_eq!(Time::from_seconds(LAST + 1), None);
        for wrong in [
            "",
            "-1",
            "yesterday",
            "253402300800",
            "2026-13-01",
            "é026-01-02",
            "2026-01-02T03:04:05",
        ] {
            assert!(wrong.parse::<Time>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn other_forms_of_the_same_time_are_refused() {
        assert!(Time::from_der(b"\x17\x0d500101000000Z").is_err(), "1950");
        for wrong in [
            &b"\x18\x0f20260102030405Z"[..],
            b"\x17\x0b2601020304Z",
            b"\x17\x112601020304+0000Z",
            b"\x17\x0d260102030460Z",
            b"\x04\x0d260102030405Z",
            b"\x17\x0d260102030405Z\0",
            b"",
        ] {
            assert!(Time::from_der(wrong).is_err(), "{wrong:?}");
        }
        assert!(Time::from_der(b"\x17\x0d260102030405Z").is_ok());
    }
}
