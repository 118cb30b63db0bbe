//! A phone and a server as network namespaces of threads: they end with the process, and the host's
//! configuration is not changed.
//!
//! ```text
//!        10.2.0.2 cell ── delay line ── tun 10.2.0.1   operators 203.0.113.x, name server 203.0.113.53
//! phone <                                           > server
//!        10.1.0.2 wlan ───────────────  far 10.1.0.1   the app's backend 198.51.100.10
//! ```
//!
//! The phone's default route is over `cell`, because not every client of the benchmark can bind its
//! sockets; only the backend is reached over `wlan`, which has no delay. There is no IPv6.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::Pid;

pub const CELL: &str = "cell";
pub const PHONE: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 2);
pub const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 53);
pub const BACKEND: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 10);
/// Differs from every index in the phone: if both ends have the same index, Linux takes a second to
/// notice that the link is up.
const FAR_INDEX: u32 = 100;

/// Moves the calling thread, and the processes that it starts, into the phone. Returns the cellular
/// interface's other end.
pub fn enter_phone(scratch: &Path) -> Result<File> {
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).context("new namespaces (root is needed)")?;
    prepare_kernel()?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    cover("/etc/resolv.conf", &format!("nameserver {NAME_SERVER}\n"), scratch)?;
    for (file, text) in [("/etc/nsswitch.conf", "hosts: dns\n"), ("/var/run/nscd/socket", "")] {
        if Path::new(file).exists() {
            cover(file, text, scratch)?;
        }
    }
    let tun = tun(CELL)?;
    ip(&format!(
        "link set lo up
        link set {CELL} mtu 1400 txqueuelen 10000 up
        address add {PHONE}/32 dev {CELL}
        route add default dev {CELL}"
    ))?;
    Ok(tun)
}

/// Moves the calling thread into the server's namespace, with a second link to the phone. Returns
/// the delay line's other end.
pub fn enter_server(phone: Pid, hosts: impl Iterator<Item = Ipv4Addr>) -> Result<File> {
    unshare(CloneFlags::CLONE_NEWNET).context("a new namespace")?;
    prepare_kernel()?;
    let tun = tun("tun")?;
    let hosts = hosts.map(|host| format!("address add {host}/32 dev lo")).collect::<Vec<_>>().join("\n");
    ip(&format!(
        "link set lo up
        link set tun mtu 1400 txqueuelen 10000 up
        address add 10.2.0.1/32 dev tun
        route add {PHONE}/32 dev tun
        address add {NAME_SERVER}/32 dev lo
        address add {BACKEND}/32 dev lo
        {hosts}
        link add far index {FAR_INDEX} type veth peer name wlan netns {phone}
        address add 10.1.0.1/24 dev far
        link set far up"
    ))?;
    Ok(tun)
}

/// The phone's side of the second link.
pub fn attach_wlan() -> Result<()> {
    ip(&format!(
        "address add 10.1.0.2/24 dev wlan
        link set wlan up
        route add {BACKEND}/32 via 10.1.0.1 dev wlan"
    ))
}

/// Disables IPv6, whose own traffic would be counted, the filter of source addresses, and TCP's
/// cached metrics of earlier connections.
fn prepare_kernel() -> Result<()> {
    let mut settings = vec![("ipv4/tcp_no_metrics_save".to_owned(), "1")];
    for interfaces in ["all", "default"] {
        settings.push((format!("ipv4/conf/{interfaces}/rp_filter"), "0"));
        settings.push((format!("ipv6/conf/{interfaces}/disable_ipv6"), "1"));
    }
    for (name, value) in settings {
        let file = format!("/proc/sys/net/{name}");
        if Path::new(&file).exists() {
            fs::write(&file, value).context(file)?;
        }
    }
    Ok(())
}

/// Mounts a text over a file, in this namespace only.
fn cover(file: &str, text: &str, scratch: &Path) -> Result<()> {
    let cover = scratch.join(file.replace('/', "-"));
    fs::write(&cover, text)?;
    mount(Some(&cover), file, None::<&str>, MsFlags::MS_BIND, None::<&str>).with_context(|| file.to_owned())
}

/// Creates a TUN device in the calling thread's namespace: packets that the kernel sends over it
/// can be read from the file, and vice versa.
#[expect(unsafe_code, reason = "an ioctl that no small library wraps")]
fn tun(name: &str) -> Result<File> {
    let file = OpenOptions::new().read(true).write(true).open("/dev/net/tun").context("/dev/net/tun")?;
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: (libc::IFF_TUN | libc::IFF_NO_PI) as i16 },
    };
    ensure!(name.len() < libc::IFNAMSIZ, "{name} is too long for an interface");
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    // SAFETY: the file is open, and the request is a complete `ifreq` that outlives the call.
    Errno::result(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) }).context("TUNSETIFF")?;
    Ok(file)
}

/// Runs commands of `ip`, one per line, in the calling thread's network namespace.
fn ip(commands: &str) -> Result<()> {
    let mut command = Command::new("ip");
    command.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().context("ip (Debian: apt-get install iproute2)")?;
    child.stdin.take().context("a pipe")?.write_all(commands.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "ip: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
