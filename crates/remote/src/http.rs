//! Objects of web servers and buckets.

use std::io::Read;
use std::time::Duration;

use rusty_s3::S3Action;
use rusty_s3::actions::{GetObject, HeadObject, PutObject};
use ureq::Body;
use ureq::http::{HeaderMap, Method, StatusCode, header};
use url::Url;

use crate::address::{Address, absolute};
use crate::error::{Error, Result};
use crate::refusal::{Asker, Refusal};
use crate::requests::{Answered, Asked, Own, Requests};
use crate::retry::{Retry, may_pass};
use crate::{Object, Open, Options, Slow, Stream};

/// How long a signed request is good for.
const SIGNED_FOR: Duration = Duration::from_mins(15);

#[derive(Debug)]
pub(crate) struct Http {
    address: Address,
    requests: Requests,
    credentials: Option<rusty_s3::Credentials>,
    options: Options,
}

/// An answer that brings bytes.
pub(crate) struct Answer {
    pub(crate) body: Body,
    /// The first byte of the object that it brings.
    pub(crate) start: u64,
    /// The bytes of the whole object, when the server says so.
    pub(crate) total: Option<u64>,
    pub(crate) encoding: Option<String>,
}

/// One try.
pub(crate) enum Tried {
    Answer(Answer),
    /// There is no such object.
    Nothing,
    /// The range begins at the object's end or behind it.
    Beyond,
    /// It may go better next time.
    MayPass(Error),
}

impl Http {
    pub(crate) fn new(address: &Address, options: &Options) -> Result<Http> {
        let requests = match address {
            Address::Web(url) => Requests::new(url, Own::Login, options)?,
            Address::Bucket(bucket) => Requests::new(bucket.bucket.base_url(), Own::Signature, options)?,
            Address::Folder(path) => {
                return Err(Error::BadAddress {
                    address: path.display().to_string(),
                    problem: "is a folder".into(),
                });
            }
        };
        let credentials = options.credentials.as_ref().map(|given| match &given.token {
            Some(token) => rusty_s3::Credentials::new_with_token(&*given.key, &*given.secret, &**token),
            None => rusty_s3::Credentials::new(&*given.key, &*given.secret),
        });
        Ok(Http {
            address: address.clone(),
            requests,
            credentials,
            options: options.clone(),
        })
    }

    pub(crate) fn retry(&self) -> Retry {
        Retry::new(&self.options)
    }

    pub(crate) fn get(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        let Some(mut stream) = self.stream(key, 0)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let read = (&mut stream)
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes);
        if let Err(error) = read {
            return Err(stream.error(error));
        }
        if bytes.len() as u64 > limit {
            let object = self.name(key);
            return Err(Error::TooLarge { object, limit });
        }
        let encoding = stream.encoding().map(str::to_string);
        Ok(Some(Object { bytes, encoding }))
    }

    pub(crate) fn stream(&self, key: &str, start: u64) -> Result<Option<Stream<'_>>> {
        let mut retry = self.retry();
        loop {
            match self.ask(key, start, &retry)? {
                Tried::Answer(answer) => return Ok(Some(Stream::http(self, key, start, answer, retry))),
                Tried::Nothing => return Ok(None),
                Tried::Beyond => return Ok(Some(Stream::empty())),
                Tried::MayPass(error) => {
                    if !retry.again() {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Asks once for an object from a byte on.
    pub(crate) fn ask(&self, key: &str, start: u64, retry: &Retry) -> Result<Tried> {
        let tries = retry.failed + 1;
        let answered = match self.requests.send(&self.asked(Method::GET, key, start)?) {
            Ok(answered) => answered,
            Err(trouble) => {
                let broken = self.broken(key, &trouble.describe(), tries);
                return if trouble.passes() {
                    Ok(Tried::MayPass(broken))
                } else {
                    Err(broken)
                };
            }
        };
        let status = answered.response.status();
        if status == StatusCode::RANGE_NOT_SATISFIABLE && start > 0 {
            return Ok(Tried::Beyond);
        }
        if self.is_absent(status) {
            return Ok(Tried::Nothing);
        }
        if may_pass(status.as_u16()) {
            return Ok(Tried::MayPass(self.refused(key, answered, tries)));
        }
        let (total, headers) = (
            answered.response.body().content_length(),
            answered.response.headers(),
        );
        let (first, total) = match status {
            StatusCode::OK => (0, total),
            StatusCode::PARTIAL_CONTENT => match range(headers) {
                Some((first, total)) if first == start => (first, total),
                _ => {
                    return Err(self.broken(
                        key,
                        "the server sends another range than it was asked for",
                        tries,
                    ));
                }
            },
            _ => return Err(self.refused(key, answered, tries)),
        };
        Ok(Tried::Answer(Answer {
            start: first,
            total,
            encoding: encoding(headers),
            body: answered.response.into_body(),
        }))
    }

    /// What is asked for an object.
    fn asked(&self, method: Method, key: &str, start: u64) -> Result<Asked<'static>> {
        let url = self.url(key, &method);
        let url = url.map_err(|problem| Error::BadAddress {
            address: self.name(key),
            problem,
        })?;
        Ok(Asked {
            method,
            url,
            start,
            body: None,
        })
    }

    /// Whether there is such an object.
    pub(crate) fn has(&self, key: &str) -> Result<bool> {
        let answered = self.again(key, &self.asked(Method::HEAD, key, 0)?)?;
        match answered.response.status() {
            status if status.is_success() => Ok(true),
            status if self.is_absent(status) => Ok(false),
            _ => Err(self.refused(key, answered, 1)),
        }
    }

    /// Makes an object of the `len` bytes that are read from what `open` opens.
    pub(crate) fn put(&self, key: &str, len: u64, open: &Open) -> Result<()> {
        let asked = Asked {
            body: Some((len, open)),
            ..self.asked(Method::PUT, key, 0)?
        };
        let answered = self.again(key, &asked)?;
        if answered.response.status().is_success() {
            return Ok(());
        }
        Err(self.refused(key, answered, 1))
    }

    /// Asks until there is an answer that will not be another one soon, or no more try.
    fn again(&self, key: &str, asked: &Asked) -> Result<Answered> {
        let mut retry = self.retry();
        loop {
            let tries = retry.failed + 1;
            let error = match self.requests.send(asked) {
                Ok(answered) if may_pass(answered.response.status().as_u16()) => {
                    self.refused(key, answered, tries)
                }
                Ok(answered) => return Ok(answered),
                Err(trouble) => {
                    let broken = self.broken(key, &trouble.describe(), tries);
                    if !trouble.passes() {
                        return Err(broken);
                    }
                    broken
                }
            };
            if !retry.again() {
                return Err(error);
            }
        }
    }

    /// What an answer says that brings no object.
    fn refused(&self, key: &str, answered: Answered, tries: u32) -> Error {
        let (object, status) = (self.name(key), answered.response.status().as_u16());
        if !matches!(status, 401 | 403) {
            return Error::Status {
                object,
                status,
                tries,
            };
        }
        let asker = match (&self.address, &self.credentials, &answered.login) {
            (_, _, Some(place)) => Asker::Login(place.clone()),
            (Address::Bucket(_), Some(_), None) => Asker::Keys,
            _ => Asker::Nobody,
        };
        let netrc = self.options.netrc.as_ref().and_then(|netrc| netrc.problem());
        let refusal = Refusal::new(&self.address, answered, asker, netrc);
        Error::Refused {
            object,
            refusal: Box::new(refusal),
        }
    }

    pub(crate) fn broken(&self, key: &str, problem: &str, tries: u32) -> Error {
        Error::Connection {
            object: self.name(key),
            problem: problem.to_string(),
            tries,
        }
    }

    /// How slow a connection may be.
    pub(crate) fn slow(&self) -> Slow {
        self.options.slow
    }

    pub(crate) fn name(&self, key: &str) -> String {
        self.address.name_of(key)
    }

    /// Whether an answer says that there is no such object.
    fn is_absent(&self, status: StatusCode) -> bool {
        match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => true,
            // Whoever may not list a bucket is told so of objects that are not there.
            StatusCode::FORBIDDEN => matches!(self.address, Address::Bucket(_)) && self.credentials.is_none(),
            _ => false,
        }
    }

    /// The object's address, signed where it has to be.
    fn url(&self, key: &str, method: &Method) -> Result<Url, String> {
        if absolute(key) {
            return Url::parse(key).map_err(|error| error.to_string());
        }
        match &self.address {
            Address::Bucket(bucket) => {
                let object = format!("{}{key}", bucket.prefix);
                let (bucket, credentials) = (&bucket.bucket, self.credentials.as_ref());
                Ok(match *method {
                    Method::HEAD => HeadObject::new(bucket, credentials, &object).sign(SIGNED_FOR),
                    Method::PUT => PutObject::new(bucket, credentials, &object).sign(SIGNED_FOR),
                    _ => GetObject::new(bucket, credentials, &object).sign(SIGNED_FOR),
                })
            }
            // A narinfo's URL may carry a query, so it is joined as text and not as a path.
            Address::Web(url) => Url::parse(&format!("{url}{key}")).map_err(|error| error.to_string()),
            Address::Folder(_) => Err("is a folder".into()),
        }
    }
}

fn encoding(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_ENCODING)?.to_str().ok()?.trim();
    (!value.is_empty() && value != "identity").then(|| value.to_ascii_lowercase())
}

/// The first byte and the whole object's length of `Content-Range: bytes 5-9/10`.
fn range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let value = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let first = range.split_once('-')?.0.parse().ok()?;
    Some((first, total.parse().ok()))
}
