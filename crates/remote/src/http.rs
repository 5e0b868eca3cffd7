//! Objects of web servers and buckets.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use rusty_s3::S3Action;
use rusty_s3::actions::{GetObject, HeadObject, PutObject};
use ureq::http::{HeaderMap, Response, StatusCode, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, SendBody};

use crate::address::Address;
use crate::error::{Error, Result};
use crate::pace::Sent;
use crate::retry::{Retry, may_pass};
use crate::{Object, Open, Options, Slow, Stream};

/// How long a signed request is good for.
const SIGNED_FOR: Duration = Duration::from_mins(15);

#[derive(Debug)]
pub(crate) struct Http {
    address: Address,
    agent: Agent,
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

/// What an address is made for.
#[derive(Clone, Copy)]
enum Access {
    Read,
    Look,
    Write,
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
        let mut tls = TlsConfig::builder();
        if let Some(pem) = &options.certificates {
            tls = tls.root_certs(roots(pem)?);
        }
        let stall = Some(options.stall);
        let https = match address {
            Address::Web(url) => url.scheme() == "https",
            Address::Bucket(bucket) => bucket.bucket.base_url().scheme() == "https",
            Address::Folder(_) => false,
        };
        let config = Agent::config_builder()
            // What was asked for over https shall not come, nor be asked for, over http.
            .https_only(https)
            .http_status_as_error(false)
            .tls_config(tls.build())
            .timeout_resolve(stall)
            .timeout_connect(stall)
            .timeout_recv_response(stall)
            .timeout_per_read(stall)
            .timeout_per_write(stall)
            .max_idle_connections_per_host(32)
            .max_idle_connections(64)
            .accept_encoding("")
            .user_agent(concat!("kiln/", env!("CARGO_PKG_VERSION")))
            .build();
        let credentials = options.credentials.as_ref().map(|given| match &given.token {
            Some(token) => rusty_s3::Credentials::new_with_token(&*given.key, &*given.secret, &**token),
            None => rusty_s3::Credentials::new(&*given.key, &*given.secret),
        });
        Ok(Http {
            address: address.clone(),
            agent: config.new_agent(),
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
        let mut request = self.agent.get(self.url(key, Access::Read));
        if start > 0 {
            request = request.header("Range", format!("bytes={start}-"));
        }
        let response = match request.call() {
            Ok(response) => response,
            Err(error) => {
                let broken = self.broken(key, &describe(&error), tries);
                return if passes(&error) {
                    Ok(Tried::MayPass(broken))
                } else {
                    Err(broken)
                };
            }
        };
        let (parts, body) = response.into_parts();
        let status = parts.status.as_u16();
        match parts.status {
            StatusCode::OK => {
                let total = body.content_length();
                Ok(Tried::Answer(Answer {
                    body,
                    start: 0,
                    total,
                    encoding: encoding(&parts.headers),
                }))
            }
            StatusCode::PARTIAL_CONTENT => match range(&parts.headers) {
                Some((first, total)) if first == start => Ok(Tried::Answer(Answer {
                    body,
                    start: first,
                    total,
                    encoding: encoding(&parts.headers),
                })),
                _ => Err(self.broken(key, "the server sends another range than it was asked for", tries)),
            },
            StatusCode::RANGE_NOT_SATISFIABLE if start > 0 => Ok(Tried::Beyond),
            status if self.is_absent(status) => Ok(Tried::Nothing),
            _ => {
                let error = self.refused(key, status, tries);
                if may_pass(status) {
                    Ok(Tried::MayPass(error))
                } else {
                    Err(error)
                }
            }
        }
    }

    /// Whether there is such an object.
    pub(crate) fn has(&self, key: &str) -> Result<bool> {
        let status = self.again(key, || self.agent.head(self.url(key, Access::Look)).call())?;
        match status {
            status if status.is_success() => Ok(true),
            status if self.is_absent(status) => Ok(false),
            status => Err(self.refused(key, status.as_u16(), 1)),
        }
    }

    /// Makes an object of the `len` bytes that are read from what `open` opens.
    pub(crate) fn put(&self, key: &str, len: u64, open: &Open) -> Result<()> {
        let status = self.again(key, || {
            let mut body = Sent::new(open()?.take(len), self.options.slow);
            let request = self.agent.put(self.url(key, Access::Write));
            // Buckets take no body in chunks.
            let request = request.header(header::CONTENT_LENGTH, len);
            request.send(SendBody::from_reader(&mut body))
        })?;
        if status.is_success() {
            return Ok(());
        }
        Err(self.refused(key, status.as_u16(), 1))
    }

    /// Asks until there is an answer that will not be another one soon, or no more try.
    fn again(
        &self,
        key: &str,
        mut ask: impl FnMut() -> Result<Response<Body>, ureq::Error>,
    ) -> Result<StatusCode> {
        let mut retry = self.retry();
        loop {
            let tries = retry.failed + 1;
            let error = match ask() {
                Ok(response) if may_pass(response.status().as_u16()) => {
                    self.refused(key, response.status().as_u16(), tries)
                }
                Ok(response) => return Ok(response.status()),
                Err(error) if passes(&error) => self.broken(key, &describe(&error), tries),
                Err(error) => return Err(self.broken(key, &describe(&error), tries)),
            };
            if !retry.again() {
                return Err(error);
            }
        }
    }

    fn refused(&self, key: &str, status: u16, tries: u32) -> Error {
        Error::Status {
            object: self.name(key),
            status,
            tries,
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
    fn url(&self, key: &str, access: Access) -> String {
        match &self.address {
            Address::Bucket(bucket) => {
                let object = format!("{}{key}", bucket.prefix);
                let (bucket, credentials) = (&bucket.bucket, self.credentials.as_ref());
                let url = match access {
                    Access::Read => GetObject::new(bucket, credentials, &object).sign(SIGNED_FOR),
                    Access::Look => HeadObject::new(bucket, credentials, &object).sign(SIGNED_FOR),
                    Access::Write => PutObject::new(bucket, credentials, &object).sign(SIGNED_FOR),
                };
                url.to_string()
            }
            // A narinfo's URL may carry a query, so it is joined as text and not as a path.
            Address::Web(url) => format!("{url}{key}"),
            Address::Folder(_) => String::new(),
        }
    }
}

fn roots(pem: &[u8]) -> Result<RootCerts> {
    let failed = |problem: String| Error::Certificates { problem };
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| failed(error.to_string()))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(failed("there are none in the file".into()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
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

/// Whether a failure may be over soon. A certificate that is not trusted will not be trusted in a second.
fn passes(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::RequireHttpsOnly(_) | ureq::Error::BadUri(_) | ureq::Error::TooManyRedirects => false,
        ureq::Error::Io(error) => error.kind() != ErrorKind::InvalidData,
        _ => true,
    }
}

/// What happened, without the address, which the error has already, and which may have a password or a signature.
fn describe(error: &ureq::Error) -> String {
    match error {
        ureq::Error::RequireHttpsOnly(_) => {
            "the server redirects from https to http, which is not followed: anybody could read and change it there"
                .into()
        }
        ureq::Error::BadUri(_) => "the server is not at an address that can be asked, or redirects to none".into(),
        ureq::Error::Timeout(_) => "the connection is silent".into(),
        ureq::Error::HostNotFound => "there is no such host".into(),
        ureq::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}
