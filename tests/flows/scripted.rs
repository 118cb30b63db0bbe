//! A backend on plain http that answers as a test says, byte for byte, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use socket2::{Domain, Socket, Type};

use crate::phone::HANGS;

/// An answer that begins so is the last one on its connection, and does not say so.
pub const LAST: &str = "(last) ";

pub struct Scripted {
    pub port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<(Mutex<Connections>, Condvar)>,
}

#[derive(Default)]
struct Connections {
    all: usize,
    open: usize,
}

#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// `POST /path`
    pub line: String,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl Scripted {
    /// Gives these answers, one for each request; after the last one it hangs up without an answer.
    pub fn answering(answers: impl IntoIterator<Item = String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let mut answers: Vec<String> = answers.into_iter().collect();
        answers.reverse();
        let answers = Arc::new(Mutex::new(answers));
        let connections = Arc::<(Mutex<Connections>, Condvar)>::default();
        let (log, counts) = (asked.clone(), connections.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answers, log, counts) = (answers.clone(), log.clone(), counts.clone());
                {
                    let mut counts = counts.0.lock().unwrap();
                    counts.all += 1;
                    counts.open += 1;
                }
                thread::spawn(move || {
                    converse(stream, &answers, &log);
                    counts.0.lock().unwrap().open -= 1;
                    counts.1.notify_all();
                });
            }
        });
        Self { port, asked, connections }
    }

    /// How many connections there were, once the last one has ended.
    pub fn connections(&self) -> usize {
        let (counts, changed) = &*self.connections;
        let (counts, wait) = changed.wait_timeout_while(counts.lock().unwrap(), HANGS, |c| c.open > 0).unwrap();
        assert!(!wait.timed_out(), "{} of {} connections are still open", counts.open, counts.all);
        counts.all
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/nv", self.port)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// Ends when either side hangs up.
fn converse(stream: TcpStream, answers: &Mutex<Vec<String>>, log: &Mutex<Vec<Asked>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let asked = read(&mut reader)?;
        log.lock().unwrap().push(asked);
        let answer = answers.lock().unwrap().pop()?;
        let last = answer.strip_prefix(LAST);
        reader.get_mut().write_all(last.unwrap_or(&answer).as_bytes()).ok()?;
        if last.is_some() {
            return None;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
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
    let mut asked = Asked { line, headers, body: String::new() };
    let length = asked.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8(body).ok()?;
    Some(asked)
}

/// A TCP port that refuses connections: it is taken, and nothing listens on it.
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

/// An answer with a body.
pub fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} Status\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

pub fn ok(body: &str) -> String {
    answer(200, "Content-Type: application/json\r\n", body)
}
