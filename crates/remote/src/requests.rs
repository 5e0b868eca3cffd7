//! Requests: sent to where servers redirect them, each with the login of the server that gets it and of no other one.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};

use ureq::http::{Method, Request, Response, StatusCode, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, SendBody};
use url::{Origin, Url};

use crate::error::{Error, Result};
use crate::login::{Login, PasswordIn, Scheme, challenges, host, without_login};
use crate::netrc::{Entries, Netrc};
use crate::pace::Sent;
use crate::{Open, Options, Slow};

/// How often a request is redirected at most.
const REDIRECTS_MAX: usize = 10;

/// Who sends requests to one place, and to where that redirects them.
pub(crate) struct Requests {
    agent: Agent,
    slow: Slow,
    /// Whether the place is asked over https, which then is never left.
    https: bool,
    /// Where the place's own login goes.
    origin: Origin,
    login: Option<Login>,
    netrc: Option<Arc<Netrc>>,
    /// Servers that have asked for a token.
    bearer: Mutex<BTreeSet<String>>,
}

/// What is asked.
pub(crate) struct Asked<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// The first byte that is wanted.
    pub(crate) start: u64,
    /// What is sent along, and its bytes.
    pub(crate) body: Option<(u64, &'a Open<'a>)>,
}

/// An answer that is no redirection.
pub(crate) struct Answered {
    pub(crate) response: Response<Body>,
    /// The host that gave it.
    pub(crate) host: String,
    /// Where the login stands that it got.
    pub(crate) login: Option<PasswordIn>,
}

/// Why there is no answer.
pub(crate) enum Trouble {
    /// The connection or what came over it.
    Wire(ureq::Error),
    /// What will not be another way next time.
    Said(String),
}

impl Requests {
    /// For a place, of which `url` is the beginning.
    pub(crate) fn new(url: &Url, own: Own, options: &Options) -> Result<Requests> {
        let mut tls = TlsConfig::builder();
        if let Some(pem) = &options.certificates {
            tls = tls.root_certs(roots(pem)?);
        }
        let stall = Some(options.stall);
        let https = url.scheme() == "https";
        let config = Agent::config_builder()
            // What was asked for over https shall not come, nor be asked for, over http.
            .https_only(https)
            .http_status_as_error(false)
            // They are followed here, where it is known which server may get which login.
            .max_redirects(0)
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
        let netrc = options.netrc.clone();
        let login = match own {
            Own::Login => own_login(url, netrc.as_deref()),
            Own::Signature => None,
        };
        Ok(Requests {
            agent: config.new_agent(),
            slow: options.slow,
            https,
            origin: url.origin(),
            login,
            netrc,
            bearer: Mutex::default(),
        })
    }

    /// Asks, and goes to where it is sent.
    pub(crate) fn send(&self, asked: &Asked) -> Result<Answered, Trouble> {
        let mut url = asked.url.clone();
        self.check_scheme(
            &url,
            "the cache is asked over https and names an address with http",
        )?;
        for _ in 0..=REDIRECTS_MAX {
            let login = self.login(&url);
            let scheme = self.scheme(&url);
            let response = self.send_once(asked, &url, login.as_ref(), scheme)?;
            let status = response.status();
            if status == StatusCode::UNAUTHORIZED
                && login.is_some()
                && scheme == Scheme::Basic
                && wants_token(&response)
            {
                self.lock().insert(url.origin().ascii_serialization());
                continue;
            }
            let again = matches!(status.as_u16(), 307 | 308);
            if !again && !matches!(status.as_u16(), 301..=303) {
                let login = login.map(|login| login.from);
                let host = host(&url);
                return Ok(Answered {
                    response,
                    host,
                    login,
                });
            }
            if asked.body.is_some() && !again {
                let shown = status.as_u16();
                return Err(Trouble::Said(format!(
                    "the server redirects what is sent to it ({shown}): give the address that takes it"
                )));
            }
            url = target(&url, &response)?;
            self.check_scheme(&url, "the server redirects from https to http")?;
        }
        Err(Trouble::Said(format!(
            "the server redirects more than {REDIRECTS_MAX} times"
        )))
    }

    fn check_scheme(&self, url: &Url, problem: &str) -> Result<(), Trouble> {
        if self.https && url.scheme() == "http" {
            return Err(Trouble::Said(format!(
                "{problem}, which is not followed: anybody could read and change it there"
            )));
        }
        Ok(())
    }

    fn send_once(
        &self,
        asked: &Asked,
        url: &Url,
        login: Option<&Login>,
        scheme: Scheme,
    ) -> Result<Response<Body>, Trouble> {
        let mut request = Request::builder()
            .method(asked.method.clone())
            .uri(without_login(url.clone()).as_str());
        if let Some(login) = login {
            let header = login.header(scheme);
            let header = header.ok_or_else(|| {
                Trouble::Said("the server wants a token, and this password has characters of no token".into())
            })?;
            request = request.header(header::AUTHORIZATION, header);
        }
        if asked.start > 0 {
            request = request.header(header::RANGE, format!("bytes={}-", asked.start));
        }
        let wire = |error: ureq::http::Error| Trouble::Wire(error.into());
        let Some((len, open)) = asked.body else {
            return Ok(self.agent.run(request.body(()).map_err(wire)?)?);
        };
        let opened = open().map_err(ureq::Error::Io)?;
        let mut body = Sent::new(opened.take(len), self.slow);
        // Buckets take no body in chunks.
        let request = request.header(header::CONTENT_LENGTH, len);
        let request = request.body(SendBody::from_reader(&mut body)).map_err(wire)?;
        Ok(self.agent.run(request)?)
    }

    /// Who asks a server: by what its address says, by the login of the place when it is the place's own server, and
    /// otherwise by what is said of this host and of no other one.
    fn login(&self, url: &Url) -> Option<Login> {
        if url.origin() == self.origin {
            return self.login.clone();
        }
        let named = || self.netrc.as_ref()?.find(&host(url), None, Entries::Named);
        Login::of(url).or_else(named)
    }

    fn scheme(&self, url: &Url) -> Scheme {
        if self.lock().contains(&url.origin().ascii_serialization()) {
            Scheme::Bearer
        } else {
            Scheme::Basic
        }
    }

    /// No code panics while it holds the lock.
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.bearer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Requests").finish_non_exhaustive()
    }
}

/// How a place knows who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Own {
    /// By a login.
    Login,
    /// By the signature in each address.
    Signature,
}

/// As in Nix: the address, and for what it leaves open the netrc file.
fn own_login(url: &Url, netrc: Option<&Netrc>) -> Option<Login> {
    let of_netrc = |user: Option<&[u8]>| netrc?.find(&host(url), user, Entries::All);
    match Login::of(url) {
        None => of_netrc(None),
        Some(login) if !login.password.is_empty() => Some(login),
        Some(login) => Some(of_netrc(Some(&login.name)).unwrap_or(login)),
    }
}

/// Whether an answer asks for a token, and takes nothing else that is known here.
fn wants_token(response: &Response<Body>) -> bool {
    let schemes = challenges(response.headers());
    let asks = |scheme: &str| schemes.iter().any(|asked| asked == scheme);
    asks("bearer") && !asks("basic")
}

/// Where an answer redirects to.
fn target(url: &Url, response: &Response<Body>) -> Result<Url, Trouble> {
    let location = response.headers().get(header::LOCATION);
    let target = location.and_then(|location| url.join(location.to_str().ok()?).ok());
    target
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| Trouble::Said("the server redirects to no address that can be asked".into()))
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

impl From<ureq::Error> for Trouble {
    fn from(error: ureq::Error) -> Trouble {
        Trouble::Wire(error)
    }
}

impl Trouble {
    /// Whether it may be over soon. A certificate that is not trusted will not be trusted in a second.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Trouble::Wire(ureq::Error::RequireHttpsOnly(_) | ureq::Error::BadUri(_)) | Trouble::Said(_) => {
                false
            }
            Trouble::Wire(ureq::Error::Io(error)) => error.kind() != std::io::ErrorKind::InvalidData,
            Trouble::Wire(_) => true,
        }
    }

    /// What happened, without the address, which the error has already, and which may have a password or a signature.
    pub(crate) fn describe(&self) -> String {
        match self {
            Trouble::Said(problem) => problem.clone(),
            Trouble::Wire(ureq::Error::RequireHttpsOnly(_)) => "the server is not asked over http".into(),
            Trouble::Wire(ureq::Error::BadUri(_)) => {
                "the server is not at an address that can be asked".into()
            }
            Trouble::Wire(ureq::Error::Timeout(_)) => "the connection is silent".into(),
            Trouble::Wire(ureq::Error::HostNotFound) => "there is no such host".into(),
            Trouble::Wire(ureq::Error::Io(error)) => error.to_string(),
            Trouble::Wire(error) => error.to_string(),
        }
    }
}
