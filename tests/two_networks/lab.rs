//! A phone with two networks, in network namespaces that end with their threads: the host's
//! configuration is not changed.
//!
//! ```text
//!          10.1.0.2 wlan ─── far 10.1.0.1   the same servers at the same addresses:
//! phone <                                     backend 203.0.113.10, operators 203.0.113.20,
//!          10.2.0.2 cell ─── far 10.2.0.1     name server 203.0.113.53
//! ```
//!
//! The default route is over `wlan`; `cell` has a route with a higher metric. The operators
//! identify the SIM +14155550100 by the addresses of `cell`. There is no IPv6.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::panic::resume_unwind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use async_trait::async_trait;
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::mount::{MsFlags, mount};
use nix::net::if_::InterfaceFlags;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Pid, gettid};
use number_verify::{
    CellularError, CellularProvider, CellularStatus, Config, ListenerError, NetworkBinding, NetworkEvents,
    NumberVerifier, Progress, ProgressListener, Step, Trace, VerifyError,
};
use number_verify_simulator::{Operator, Options, Sim, Simulator, Sockets};
use tokio::sync::Notify;

use crate::capture::{
    BACKEND, BYSTANDER_PORT, Capture, Kind, MARKER_PORT, NAME_SERVER, OPERATORS, Packets, expect_only,
};
use crate::hooks;

pub const NUMBER: &str = "+14155550100";
/// The number of the phone whose hotspot `wlan` may be.
pub const HOTSPOT_NUMBER: &str = "+14155550177";
/// A test network (ITU-T E.212).
pub const OPERATOR: Option<&str> = Some("00101");
/// Differs from every index in the phone: if both ends have the same index, Linux takes a second to
/// notice that the link is up.
const FAR_INDEX: u32 = 100;
/// The timeout for steps that may hang.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A network of the phone.
#[derive(Clone, Copy)]
pub struct Link {
    /// The phone's interface.
    pub name: &'static str,
    /// The phone's address.
    pub near: Ipv4Addr,
    /// The far end's address.
    pub far: Ipv4Addr,
    metric: u32,
}

pub const WLAN: Link =
    Link { name: "wlan", near: Ipv4Addr::new(10, 1, 0, 2), far: Ipv4Addr::new(10, 1, 0, 1), metric: 100 };
pub const CELL: Link =
    Link { name: "cell", near: Ipv4Addr::new(10, 2, 0, 2), far: Ipv4Addr::new(10, 2, 0, 1), metric: 200 };

/// Replaces `cell` after its deletion.
pub const SPARE: Link =
    Link { name: "spare", near: Ipv4Addr::new(10, 3, 0, 2), far: Ipv4Addr::new(10, 3, 0, 1), metric: 300 };

/// All networks with their servers, and the phone, which is the calling thread.
pub struct Lab {
    pub wlan: Far,
    cell: Far,
    pub spare: Far,
    pub simulator: Simulator,
}

/// The far end of a network, with its servers.
pub struct Far {
    link: Link,
    capture: Capture,
    /// Receives the markers, so that no "port unreachable" is sent.
    _markers: UdpSocket,
}

/// The packets on both sides.
pub struct CapturedPackets {
    pub wlan: Packets,
    pub cell: Packets,
}

impl Lab {
    /// Runs a scenario in the phone; prints a notice and does nothing if namespaces are not
    /// permitted.
    pub fn run(scenario: impl FnOnce(&Self) + Send) {
        Self::run_with(None, scenario);
    }

    /// The same, with `wlan` as the hotspot of another phone, whose SIM its traffic leaves through.
    pub fn run_on_a_hotspot(scenario: impl FnOnce(&Self) + Send) {
        Self::run_with(Some(Sim::new(WLAN.near.into(), 16, HOTSPOT_NUMBER)), scenario);
    }

    fn run_with(sim_of_wlan: Option<Sim>, scenario: impl FnOnce(&Self) + Send) {
        if is_permitted() {
            on_new_thread(|| {
                enter_phone().expect("the phone");
                scenario(&Self::build(sim_of_wlan).expect("the networks"));
            });
        }
    }

    fn build(sim_of_wlan: Option<Sim>) -> io::Result<Self> {
        let options = Options {
            backend_address: BACKEND.into(),
            operator_address: OPERATORS.into(),
            operator_ipv6: None,
            https_port: 443,
            http_port: 80,
            dns: Some((NAME_SERVER, 53).into()),
            sims: [CELL, SPARE]
                .map(|link| Sim::new(link.near.into(), 16, NUMBER))
                .into_iter()
                .chain(sim_of_wlan)
                .collect(),
            ..Options::default()
        };
        ip("link set lo up")?;
        let phone = gettid();
        let (wlan, wlan_sockets) = on_new_thread(|| Far::build(WLAN, phone, &options))?;
        let (cell, cell_sockets) = on_new_thread(|| Far::build(CELL, phone, &options))?;
        let (spare, spare_sockets) = on_new_thread(|| Far::build(SPARE, phone, &options))?;
        [WLAN, CELL, SPARE].into_iter().try_for_each(attach)?;
        let simulator = Simulator::start_in(options, vec![wlan_sockets, cell_sockets, spare_sockets])?;
        Ok(Self { wlan, cell, spare, simulator })
    }

    /// The app's configuration if this operator serves the number.
    pub fn config(&self, operator: Operator) -> Config {
        self.config_for(self.simulator.backend_url(operator))
    }

    /// The app's configuration if the operator supports retrieval.
    pub fn config_for_retrieval(&self) -> Config {
        let [backend, ..] = self.simulator.backend_urls_with_retrieval();
        self.config_for(backend)
    }

    fn config_for(&self, backend_url: String) -> Config {
        let mut config = Config::new(backend_url);
        config.development.dns_servers = vec![NAME_SERVER.to_string()];
        config.development.root_certificates = vec![self.simulator.root_ca_pem().to_owned()];
        config
    }

    /// Every packet on both sides. An interface that the scenario took down is brought up again to
    /// close its count.
    pub fn packets(&self) -> CapturedPackets {
        bring_up(CELL).expect("the cellular interface");
        CapturedPackets { wlan: self.wlan.packets(), cell: self.cell.packets() }
    }
}

impl CapturedPackets {
    /// Asserts that exactly these kinds of packets were seen on each side.
    pub fn expect(&self, scenario: &str, wlan: &[Kind], cell: &[Kind]) {
        expect_only(&format!("{scenario}, on wlan"), &self.wlan, wlan);
        expect_only(&format!("{scenario}, on cell"), &self.cell, cell);
    }
}

impl Far {
    /// Makes a namespace for the calling thread, with a link to the phone. Its sockets keep it
    /// alive.
    fn build(link: Link, phone: Pid, options: &Options) -> io::Result<(Self, Sockets)> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        use_plain_ipv4()?;
        let capture = Capture::start()?;
        let Link { name, near, far, .. } = link;
        ip(&format!(
            "link set lo up
            address add {BACKEND} dev lo
            address add {OPERATORS} dev lo
            address add {NAME_SERVER} dev lo
            link add far index {FAR_INDEX} type veth peer name {name} netns {phone}
            address add {far}/24 dev far
            link set far up
            route add default via {near}"
        ))?;
        let sockets = Sockets::bind(options)?;
        serve_network_name(name)?;
        let markers = UdpSocket::bind((far, MARKER_PORT))?;
        Ok((Self { link, capture, _markers: markers }, sockets))
    }

    /// Every packet on this side.
    pub fn packets(&self) -> Packets {
        let socket = UdpSocket::bind((self.link.near, 0)).unwrap();
        socket.send_to(&[], (self.link.far, MARKER_PORT)).unwrap();
        self.capture.until_marker()
    }
}

/// The phone's side of a link.
fn attach(link: Link) -> io::Result<()> {
    let Link { name, near, far, metric } = link;
    ip(&format!("address add {near}/24 dev {name}"))?;
    bring_up(link)?;
    ip(&format!("route add default via {far} metric {metric}"))
}

/// Also waits until the interface is running.
pub fn bring_up(Link { name, .. }: Link) -> io::Result<()> {
    ip(&format!("link set {name} up"))?;
    wait_until("the interface runs", || {
        let mut interfaces = getifaddrs().expect("the interfaces");
        let runs = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING;
        interfaces.any(|interface| interface.interface_name == name && interface.flags.contains(runs))
    });
    Ok(())
}

/// Serves the name of the network to every client.
fn serve_network_name(name: &'static str) -> io::Result<()> {
    let listener = TcpListener::bind((OPERATORS, BYSTANDER_PORT))?;
    thread::spawn(move || {
        for stream in listener.incoming() {
            stream
                .and_then(|mut stream| stream.write_all(name.as_bytes()))
                .expect("the bystander's socket is writable");
        }
    });
    Ok(())
}

/// The network that an unbound socket of this process uses, and its local address.
pub fn network_of_bystander() -> io::Result<(String, IpAddr)> {
    let address = SocketAddr::from((OPERATORS, BYSTANDER_PORT));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut name = String::new();
    stream.read_to_string(&mut name)?;
    Ok((name, stream.local_addr()?.ip()))
}

/// Runs a flow for the SIM's number and waits until all its sockets are closed.
///
/// The network is acquired after `start`, so that a flow without the network has an auth URL that
/// it could open over another one.
pub fn verify(
    config: Config,
    binding: NetworkBinding,
    on_hop: impl Fn(u32) + Send + Sync + 'static,
) -> Result<bool, VerifyError> {
    hooks::set(on_hop);
    let started = Arc::<Notify>::default();
    let modem = Arc::new(Modem { binding, started: started.clone(), acquired: 0.into(), released: 0.into() });
    let verifier = NumberVerifier::new(config, modem.clone(), None)?;
    let flow = verifier.begin(NUMBER.to_owned(), Some(Arc::new(Observer { started })));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let outcome = runtime.block_on(flow.result());
    drop((flow, verifier));
    wait_until("the flow's sockets are closed", || open_sockets() == 0);
    wait_until("the network is released", || modem.released.load(Ordering::Relaxed) > 0);
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    assert_eq!((count(&modem.acquired), count(&modem.released)), (1, 1));
    outcome.map(|verification| verification.verified())
}

/// Retrieves the number and waits until all sockets of the flow are closed.
pub fn retrieve(
    config: Config,
    binding: NetworkBinding,
    on_hop: impl Fn(u32) + Send + Sync + 'static,
) -> Result<String, VerifyError> {
    hooks::set(on_hop);
    let modem = CountedModem::new(binding, OPERATOR);
    let verifier = NumberVerifier::new(config, modem.clone(), None)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let outcome = runtime.block_on(verifier.retrieve());
    drop(verifier);
    wait_until("the flow's sockets are closed", || open_sockets() == 0);
    wait_until("the network is released", || modem.released.load(Ordering::Relaxed) > 0);
    outcome.map(|retrieved| retrieved.phone_number())
}

/// A network that is available once `start` has finished.
struct Modem {
    binding: NetworkBinding,
    started: Arc<Notify>,
    acquired: AtomicUsize,
    released: AtomicUsize,
}

#[async_trait]
impl CellularProvider for Modem {
    async fn acquire(&self, _: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError> {
        self.acquired.fetch_add(1, Ordering::Relaxed);
        self.started.notified().await;
        Ok(self.binding.clone())
    }

    async fn release(&self) -> Result<(), CellularError> {
        self.released.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        Ok(CellularStatus::WifiActive)
    }
}

/// Prepares, loses the network, and verifies. Also returns how often the network was acquired and
/// released.
pub fn verify_prepared(
    config: Config,
    binding: NetworkBinding,
    loss: impl FnOnce(),
) -> (Result<bool, VerifyError>, usize, usize) {
    hooks::set(|_| {});
    let modem = CountedModem::new(binding, OPERATOR);
    let verifier = NumberVerifier::new(config, modem.clone(), None).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(verifier.prepare()).unwrap();
    loss();
    let outcome = runtime.block_on(verifier.verify(NUMBER.to_owned()));
    drop(verifier);
    wait_until("the verification's sockets are closed", || open_sockets() == 0);
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    wait_until("the network is released", || count(&modem.acquired) == count(&modem.released));
    (outcome.map(|verification| verification.verified()), count(&modem.acquired), count(&modem.released))
}

/// Verifies, applies a change, verifies again, and once more after `prepare()`.
pub fn verify_repeatedly(
    config: Config,
    binding: NetworkBinding,
    change: impl FnOnce(),
) -> [Result<Trace, VerifyError>; 3] {
    hooks::set(|_| {});
    let modem = CountedModem::new(binding, OPERATOR);
    let verifier = NumberVerifier::new(config, modem.clone(), None).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    let verify = || {
        let outcome = runtime.block_on(verifier.verify(NUMBER.to_owned()));
        wait_until("the network is released", || count(&modem.acquired) == count(&modem.released));
        outcome.map(|verification| verification.trace())
    };
    let first = verify();
    change();
    let second = verify();
    runtime.block_on(verifier.prepare()).unwrap();
    let third = verify();
    drop(verifier);
    wait_until("the verification's sockets are closed", || open_sockets() == 0);
    [first, second, third]
}

/// A network that is always available.
pub struct CountedModem {
    binding: NetworkBinding,
    /// As reported by the provider.
    operator: Option<&'static str>,
    pub acquired: AtomicUsize,
    pub released: AtomicUsize,
}

impl CountedModem {
    pub fn new(binding: NetworkBinding, operator: Option<&'static str>) -> Arc<Self> {
        Arc::new(Self { binding, operator, acquired: AtomicUsize::new(0), released: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl CellularProvider for CountedModem {
    async fn acquire(&self, events: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError> {
        self.acquired.fetch_add(1, Ordering::Relaxed);
        if let Some(operator) = self.operator {
            events.operated_by(operator.to_owned());
        }
        Ok(self.binding.clone())
    }

    async fn release(&self) -> Result<(), CellularError> {
        self.released.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        Ok(CellularStatus::WifiActive)
    }
}

struct Observer {
    started: Arc<Notify>,
}

impl ProgressListener for Observer {
    fn on_progress(&self, progress: Progress) -> Result<(), ListenerError> {
        if let Progress::StepEnded { step: Step::Start, .. } = progress {
            self.started.notify_one();
        }
        Ok(())
    }
}

/// Runs commands of `ip`, one per line, in the network namespace of the calling thread.
pub fn ip(commands: &str) -> io::Result<()> {
    let mut command = Command::new("ip");
    command.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| io::Error::other(format!("ip: {error}")))?;
    child.stdin.take().expect("a pipe").write_all(commands.as_bytes())?;
    let output = child.wait_with_output()?;
    let message = || format!("ip: {}", String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; "));
    if output.status.success() { Ok(()) } else { Err(io::Error::other(message())) }
}

/// Moves the calling thread into new network and mount namespaces, in which the system's resolver
/// uses only our name server.
fn enter_phone() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).map_err(while_doing("new namespaces"))?;
    use_plain_ipv4()?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .map_err(while_doing("private mounts"))?;
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    mount(Some("tmpfs"), scratch, Some("tmpfs"), MsFlags::empty(), None::<&str>).map_err(while_doing("tmpfs"))?;
    cover("/etc/resolv.conf", &format!("nameserver {NAME_SERVER}\n"), scratch)?;
    for (file, text) in [("/etc/nsswitch.conf", "hosts: dns\n"), ("/var/run/nscd/socket", "")] {
        if Path::new(file).exists() {
            cover(file, text, scratch)?;
        }
    }
    Ok(())
}

/// Mounts a text over a file.
fn cover(file: &str, text: &str, scratch: &Path) -> io::Result<()> {
    let cover = scratch.join(file.replace('/', "-"));
    fs::write(&cover, text)?;
    mount(Some(&cover), file, None::<&str>, MsFlags::MS_BIND, None::<&str>).map_err(while_doing(file))
}

fn while_doing(what: &str) -> impl Fn(Errno) -> io::Error {
    move |error| io::Error::other(format!("{what}: {error}"))
}

/// Disables IPv6, whose own traffic would be counted, and the filter of source addresses, which
/// would hide a leak.
fn use_plain_ipv4() -> io::Result<()> {
    for interfaces in ["all", "default"] {
        set_sysctl(&format!("ipv4/conf/{interfaces}/rp_filter"), "0")?;
        if Path::new("/proc/sys/net/ipv6").exists() {
            set_sysctl(&format!("ipv6/conf/{interfaces}/disable_ipv6"), "1")?;
        }
    }
    Ok(())
}

fn set_sysctl(name: &str, value: &str) -> io::Result<()> {
    let failed = |error| io::Error::other(format!("sysctl net/{name}: {error}"));
    fs::write(format!("/proc/sys/net/{name}"), value).map_err(failed)
}

/// The number of TCP and UDP sockets of the phone that are still held (proc(5): those have an
/// inode).
fn open_sockets() -> usize {
    let held = |line: &&str| line.split_whitespace().nth(9).is_some_and(|inode| inode != "0");
    let count = |protocol| {
        let table = fs::read_to_string(format!("/proc/thread-self/net/{protocol}")).expect("the table of sockets");
        table.lines().skip(1).filter(held).count()
    };
    count("tcp") + count("udp")
}

pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < give_up, "timed out: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn on_new_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().unwrap_or_else(|panic| resume_unwind(panic)))
}

/// Whether this machine permits the required namespaces. Prints the reason directly to stderr,
/// because the test harness captures the output of passing tests.
fn is_permitted() -> bool {
    static REFUSAL: OnceLock<Option<String>> = OnceLock::new();
    let must_run = env::var("NUMBER_VERIFY_NO_SKIP").is_ok_and(|value| value == "1");
    let refusal = REFUSAL.get_or_init(|| {
        let refusal = on_new_thread(check_permissions).err().map(|error| error.to_string());
        if let (Some(reason), false) = (&refusal, must_run) {
            let _ = writeln!(
                io::stderr(),
                "skipped: two networks: they need root and ip (Debian: apt-get install iproute2): {reason}"
            );
        }
        refusal
    });
    assert!(refusal.is_none() || !must_run, "two networks must not be skipped here: {refusal:?}");
    refusal.is_none()
}

fn check_permissions() -> io::Result<()> {
    enter_phone()?;
    ip("link add near type veth peer name far")?;
    Capture::start().map(drop)
}
