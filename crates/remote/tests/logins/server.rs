//! A web server that wants to know who asks, and writes down whom it was told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// What is answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn found(body: &str) -> Reply {
        Reply {
            status: 200,
            body: body.into(),
            ..Reply::default()
        }
    }

    pub(crate) fn redirect(status: u16, to: &str) -> Reply {
        Reply {
            status,
            headers: vec![format!("Location: {to}")],
            ..Reply::default()
        }
    }

    pub(crate) fn refused(status: u16, headers: &[&str], body: &str) -> Reply {
        Reply {
            status,
            headers: headers.iter().map(|header| (*header).to_string()).collect(),
            body: body.into(),
        }
    }
}

/// A server, until the tests end.
pub(crate) struct Server {
    pub(crate) port: u16,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) fn new(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (noted, answer) = (Arc::clone(&log), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &noted, &*answer));
            }
        });
        Server { port, log }
    }

    /// Lets everybody in who says this.
    pub(crate) fn asking(authorization: &'static str, refusal: Reply) -> Server {
        Server::new(move |request| {
            if request.authorization.as_deref() == Some(authorization) {
                Reply::found("content")
            } else {
                refusal.clone()
            }
        })
    }

    /// The address of a host's folder.
    pub(crate) fn at(&self, host: &str) -> String {
        format!("http://{host}:{}/cache", self.port)
    }

    /// What was asked since the last look.
    pub(crate) fn asked(&self) -> Vec<Request> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    /// Whom it was told since the last look.
    pub(crate) fn told(&self) -> Vec<Option<String>> {
        let asked = self.asked().into_iter();
        asked.map(|request| request.authorization).collect()
    }
}

fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<Request>>,
    answer: &dyn Fn(&Request) -> Reply,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ').map(str::to_string);
    let mut request = Request {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        authorization: None,
        body: Vec::new(),
    };
    let mut len = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => request.authorization = Some(value.to_string()),
            "content-length" => len = value.parse().unwrap(),
            _ => {}
        }
    }
    reader.take(len).read_to_end(&mut request.body)?;
    let mut reply = answer(&request);
    reply
        .headers
        .push(format!("Content-Length: {}", reply.body.len()));
    if request.method == "HEAD" {
        reply.body.clear();
    }
    log.lock().unwrap().push(request);
    write!(
        stream,
        "HTTP/1.1 {} Said\r\nConnection: close\r\n{}\r\n\r\n",
        reply.status,
        reply.headers.join("\r\n")
    )?;
    stream.write_all(&reply.body)
}
