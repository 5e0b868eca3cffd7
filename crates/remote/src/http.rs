//! Objects of web servers and buckets.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use rusty_s3::S3Action;
use rusty_s3::actions::GetObject;
use ureq::http::{HeaderMap, StatusCode, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use crate::address::Address;
use crate::error::{Error, Result};
use crate::retry::{Retry, may_pass};
use crate::{Object, Options, Stream};

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
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .tls_config(tls.build())
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
            return Err(stream.error(&error));
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
        let mut request = self.agent.get(self.url(key));
        if start > 0 {
            request = request.header("Range", format!("bytes={start}-"));
        }
        let response = match request.call() {
            Ok(response) => response,
            Err(error) => {
                let broken = self.broken(key, &describe(&error), tries);
                // A certificate that is not trusted will not be so in a second.
                return match error {
                    ureq::Error::Io(error) if error.kind() == ErrorKind::InvalidData => Err(broken),
                    _ => Ok(Tried::MayPass(broken)),
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
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Tried::Nothing),
            // Whoever may not list a bucket is told so of objects that are not there.
            StatusCode::FORBIDDEN if self.is_public_bucket() => Ok(Tried::Nothing),
            _ => {
                let object = self.name(key);
                let error = Error::Status {
                    object,
                    status,
                    tries,
                };
                if may_pass(status) {
                    Ok(Tried::MayPass(error))
                } else {
                    Err(error)
                }
            }
        }
    }

    pub(crate) fn broken(&self, key: &str, problem: &str, tries: u32) -> Error {
        Error::Connection {
            object: self.name(key),
            problem: problem.to_string(),
            tries,
        }
    }

    pub(crate) fn name(&self, key: &str) -> String {
        self.address.name_of(key)
    }

    fn is_public_bucket(&self) -> bool {
        matches!(self.address, Address::Bucket(_)) && self.credentials.is_none()
    }

    /// The object's address, signed where it has to be.
    fn url(&self, key: &str) -> String {
        match &self.address {
            Address::Bucket(bucket) => {
                let object = format!("{}{key}", bucket.prefix);
                let action = GetObject::new(&bucket.bucket, self.credentials.as_ref(), &object);
                action.sign(SIGNED_FOR).to_string()
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

/// What happened, without the address, which the error has already.
fn describe(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "the connection is silent".into(),
        ureq::Error::HostNotFound => "there is no such host".into(),
        ureq::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}
