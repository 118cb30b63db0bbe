//! A backend on plain http that sends scripted responses, byte for byte, and records the requests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use socket2::{Domain, Socket, Type};

use crate::phone::HANGS;

/// A response with this prefix is the last one on its connection, without `Connection: close`.
pub const LAST: &str = "(last) ";

pub struct Scripted {
    pub port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    connections: Arc<(Mutex<Connections>, Condvar)>,
}

#[derive(Default)]
struct Connections {
    all: usize,
    open: usize,
}

#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `POST /path`
    pub line: String,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl Scripted {
    /// Sends these responses, one for each request; then it closes connections without a response.
    pub fn responding(responses: impl IntoIterator<Item = String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let mut responses: Vec<String> = responses.into_iter().collect();
        responses.reverse();
        let responses = Arc::new(Mutex::new(responses));
        let connections = Arc::<(Mutex<Connections>, Condvar)>::default();
        let (log, counts) = (requests.clone(), connections.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (responses, log, counts) = (responses.clone(), log.clone(), counts.clone());
                {
                    let mut counts = counts.0.lock().unwrap();
                    counts.all += 1;
                    counts.open += 1;
                }
                thread::spawn(move || {
                    serve(stream, &responses, &log);
                    counts.0.lock().unwrap().open -= 1;
                    counts.1.notify_all();
                });
            }
        });
        Self { port, requests, connections }
    }

    /// The number of connections, once all are closed.
    pub fn connections(&self) -> usize {
        let (counts, changed) = &*self.connections;
        let (counts, wait) = changed.wait_timeout_while(counts.lock().unwrap(), HANGS, |c| c.open > 0).unwrap();
        assert!(!wait.timed_out(), "{} of {} connections are still open", counts.open, counts.all);
        counts.all
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/nv", self.port)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// Ends when either side closes the connection.
fn serve(stream: TcpStream, responses: &Mutex<Vec<String>>, log: &Mutex<Vec<Request>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let request = read(&mut reader)?;
        log.lock().unwrap().push(request);
        let response = responses.lock().unwrap().pop()?;
        let last = response.strip_prefix(LAST);
        reader.get_mut().write_all(last.unwrap_or(&response).as_bytes()).ok()?;
        if last.is_some() {
            return None;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let line = lines.first()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers = lines.iter().skip(1).filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut request = Request { line, headers, body: String::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).ok()?;
    Some(request)
}

/// A TCP port that refuses connections: it is bound, and nothing listens on it.
pub struct ClosedPort(Socket);

impl ClosedPort {
    pub fn take() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        Self(socket)
    }

    pub fn number(&self) -> u16 {
        self.0.local_addr().unwrap().as_socket().unwrap().port()
    }
}

/// A response with a body.
pub fn response(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} Status\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

pub fn ok(body: &str) -> String {
    response(200, "Content-Type: application/json\r\n", body)
}
