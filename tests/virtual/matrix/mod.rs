//! The fault matrix: every applicable fault at every I/O step of a verification, with its expected
//! outcome. [`TABLE`] is the complete list; `world.rs` implements the faults, `expected.rs` has the
//! rules for the outcomes, `check.rs` the invariants of every cell.
//!
//! Run it with `cargo test --all-features --test virtual matrix -- --nocapture`, which prints the
//! number of cells of each part.

mod check;
mod expected;
#[cfg(target_os = "linux")]
mod loopback;
mod phone;
mod surroundings;
mod world;

use self::Fault::{
    AddressChange, BlackHole, Cancelled, ClosedEarly, Deadline, Garbage, InterfaceLost, OneBytePerSecond, Refused,
    Reset, Stalled, Suspended, TooLarge, Truncated, Unreachable, WrongCertificate,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Refused,
    Unreachable,
    /// No response.
    BlackHole,
    Reset,
    /// The connection is closed in an orderly way, but too early.
    ClosedEarly,
    /// It ends without `close_notify`.
    Truncated,
    /// Nothing follows the first half.
    Stalled,
    OneBytePerSecond,
    Garbage,
    TooLarge,
    WrongCertificate,
    /// Existing connections and pending requests get no more responses; new connections do.
    AddressChange,
    /// The network is lost, and the provider or the system reports it.
    InterfaceLost,
    /// Cancelled by the app.
    Cancelled,
    /// The overall deadline passes.
    Deadline,
    /// The process is suspended for an hour.
    Suspended,
}

/// Each fault (row) at each step (column): `x` is a cell, a letter the reason for its omission.
#[rustfmt::skip]
const TABLE: [(Fault, [char; 8]); 16] = [
    //                 acquire  DNS  connect  TLS  request head  body  release
    (Refused,          ['x',    'x',  'x',    'x',  'a',   'x',  'h',  'x']),
    (Unreachable,      ['x',    'x',  'x',    'o',  'o',   'o',  'o',  'n']),
    (BlackHole,        ['x',    'x',  'x',    'x',  'x',   's',  's',  'x']),
    (Reset,            ['n',    'd',  'r',    'x',  'x',   'x',  'x',  'n']),
    (ClosedEarly,      ['n',    'd',  't',    'x',  'x',   'x',  'x',  'n']),
    (Truncated,        ['n',    'd',  't',    'x',  'b',   'x',  'x',  'n']),
    (Stalled,          ['w',    'w',  'w',    'x',  'w',   'x',  'x',  'x']),
    (OneBytePerSecond, ['n',    'd',  'n',    'x',  'b',   'x',  'x',  'n']),
    (Garbage,          ['x',    'x',  'n',    'x',  'x',   'x',  'x',  'x']),
    (TooLarge,         ['n',    'x',  'n',    'x',  'b',   'x',  'x',  'n']),
    (WrongCertificate, ['n',    'n',  'n',    'x',  'c',   'c',  'c',  'n']),
    (AddressChange,    ['x',    'x',  'x',    'x',  'x',   'x',  'x',  'x']),
    (InterfaceLost,    ['x',    'x',  'x',    'x',  'x',   'x',  'x',  'x']),
    (Cancelled,        ['x',    'x',  'x',    'x',  'x',   'x',  'x',  'e']),
    (Deadline,         ['x',    'x',  'x',    'x',  'x',   'x',  'x',  'e']),
    (Suspended,        ['x',    'x',  'x',    'x',  'x',   'x',  'x',  'x']),
];

/// The reasons for omitted cells.
const LEFT_OUT: [(char, &str); 13] = [
    ('a', "a server rejects a request with the response head"),
    ('b', "no byte of the response was sent: the client sees an early close"),
    ('c', "certificates are part of the TLS handshake"),
    ('d', "a lookup has no connection visible to the client: it gets a response or not"),
    ('e', "the verification has already ended"),
    ('h', "the status is in the head"),
    ('n', "not applicable to the step"),
    ('o', "the connection is open: it stalls or is reset"),
    ('r', "the client sees a refused connection"),
    ('s', "the client sees a stalled response"),
    ('t', "the client sees a missing first TLS byte"),
    ('v', "backends may have any address: no lookup result is invalid"),
    ('w', "the client sees a black hole"),
];

/// Position of a hop in a redirect chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    First,
    Middle,
    /// Its response has the code in JSON.
    Last,
    /// The hop that delivers the code, with delivery by follow-through.
    Callback,
}

/// The call to which the I/O belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Start,
    Authorize(Hop),
    Complete,
    /// After `complete` was rejected.
    Abort,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    New,
    Reused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Io {
    Dns,
    Connect,
    Tls,
    /// It is arriving and was not read.
    Request,
    /// It is half sent.
    Head,
    /// It is half sent.
    Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Acquire,
    Io(Call, Connection, Io),
    Release,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// Only the first time. A separate case if the step is retried.
    Once,
    /// Until the verification ends.
    Stays,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    pub step: Step,
    pub fault: Fault,
    pub lasts: Lasts,
}

impl Step {
    fn column(self) -> usize {
        match self {
            Self::Acquire => 0,
            Self::Io(_, _, io) => 1 + io as usize,
            Self::Release => 7,
        }
    }
}

/// The reason, if the cell is omitted.
fn left_out(step: Step, fault: Fault) -> Option<&'static str> {
    let (_, row) = TABLE.iter().find(|(row, _)| *row == fault).unwrap();
    let mark = match (step, fault) {
        (Step::Io(Call::Abort, ..), Cancelled | Deadline) => 'e',
        (Step::Io(Call::Start | Call::Complete | Call::Abort, _, Io::Dns), Garbage) => 'v',
        _ => row[step.column()],
    };
    let reason = LEFT_OUT.iter().find(|(letter, _)| *letter == mark);
    assert!(reason.is_some() || mark == 'x', "no reason for {mark}");
    reason.map(|(_, reason)| *reason)
}

fn cells(steps: impl IntoIterator<Item = Step>) -> Vec<Cell> {
    let mut cells = Vec::new();
    for step in steps {
        for (fault, _) in TABLE.iter().filter(|(fault, _)| left_out(step, *fault).is_none()) {
            let (step, fault) = (step, *fault);
            cells.push(Cell { step, fault, lasts: Lasts::Stays });
            if expected::is_repeated(step, fault) {
                cells.push(Cell { step, fault, lasts: Lasts::Once });
            }
        }
    }
    cells
}

fn io(call: Call, connection: Connection) -> Vec<Cell> {
    use Io::{Body, Connect, Dns, Head, Request, Tls};
    let steps = match connection {
        Connection::New => &[Dns, Connect, Tls, Request, Head, Body][..],
        Connection::Reused => &[Request, Head, Body],
    };
    cells(steps.iter().map(|io| Step::Io(call, connection, *io)))
}

fn over_cellular() -> [Vec<Cell>; 4] {
    let new = |hop| io(Call::Authorize(hop), Connection::New);
    let reused = |hop| io(Call::Authorize(hop), Connection::Reused);
    let acquire_and_release = cells([Step::Acquire, Step::Release]);
    [
        [acquire_and_release, new(Hop::First), reused(Hop::Middle)].concat(),
        [new(Hop::Middle), reused(Hop::Last)].concat(),
        new(Hop::Last),
        [new(Hop::Callback), reused(Hop::Callback)].concat(),
    ]
}

fn to_the_backend() -> [Vec<Cell>; 3] {
    [Call::Start, Call::Complete, Call::Abort]
        .map(|call| [Connection::New, Connection::Reused].map(|connection| io(call, connection)).concat())
}

#[test]
fn matrix_has_at_least_400_cells() {
    let (cellular, backend) = (over_cellular().concat().len(), to_the_backend().concat().len());
    println!("fault matrix: {} cells, {cellular} over cellular and {backend} to the backend", cellular + backend);
    assert!(cellular + backend >= 400);
}

#[tokio::test(start_paused = true)]
async fn acquire_release_and_first_hops() {
    check::cellular(&over_cellular()[0]).await;
}

#[tokio::test(start_paused = true)]
async fn middle_hop_and_last_hop_on_a_reused_connection() {
    check::cellular(&over_cellular()[1]).await;
}

#[tokio::test(start_paused = true)]
async fn last_hop_on_a_new_host() {
    check::cellular(&over_cellular()[2]).await;
}

#[tokio::test(start_paused = true)]
async fn callback_hop() {
    check::cellular(&over_cellular()[3]).await;
}

#[cfg(target_os = "linux")]
#[test]
fn start() {
    loopback::run(|clock| check::backend(to_the_backend()[0].clone(), clock));
}

#[cfg(target_os = "linux")]
#[test]
fn complete() {
    loopback::run(|clock| check::backend(to_the_backend()[1].clone(), clock));
}

#[cfg(target_os = "linux")]
#[test]
fn abort() {
    loopback::run(|clock| check::backend(to_the_backend()[2].clone(), clock));
}
