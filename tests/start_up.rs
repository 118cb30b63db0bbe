//! A verifier starts nothing before its first use. Runs in a separate process, because it counts
//! threads and open files.
#![cfg(all(target_os = "linux", feature = "http-backend"))]

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use number_verify::{
    CellularError, CellularProvider, CellularStatus, Config, NetworkBinding, NetworkEvents, NumberVerifier, Setting,
    VerifyError,
};
use rcgen::{CertificateParams, KeyPair};
use tokio::time::timeout;

/// A step that takes this long even on a busy machine hangs.
const HANGS: Duration = Duration::from_mins(1);
const NUMBER: &str = "+14155550100";
const STORE: &str = "SSL_CERT_FILE";

struct Phone;

#[async_trait]
impl CellularProvider for Phone {
    async fn acquire(&self, _: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError> {
        Ok(NetworkBinding::LinuxInterface { name: "lo".to_owned() })
    }

    async fn release(&self) -> Result<(), CellularError> {
        Ok(())
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        Ok(CellularStatus::Ready)
    }
}

/// The platform's trust store is a pipe: opening it blocks until the other end is opened, so the
/// test can tell when it is read.
#[test]
fn verifier_starts_nothing_before_first_use() {
    if let Some(store) = env::var_os(STORE).filter(|store| Path::new(store).ends_with("start-up.pipe")) {
        return in_child_process(Path::new(&store)).unwrap();
    }
    let folder = env::temp_dir().join(format!("number-verify-{}", std::process::id()));
    let store = folder.join("start-up.pipe");
    fs::create_dir_all(&folder).unwrap();
    assert!(Command::new("mkfifo").arg(&store).status().unwrap().success());
    let this = ["--exact", "verifier_starts_nothing_before_first_use", "--nocapture"];
    let child =
        Command::new(env::current_exe().unwrap()).args(this).env(STORE, &store).env_remove("SSL_CERT_DIR").status();
    fs::remove_dir_all(&folder).unwrap();
    assert!(child.unwrap().success());
}

fn in_child_process(store: &Path) -> Result<(), Box<dyn Error>> {
    let before = (threads()?, open_files()?);
    let verifier = NumberVerifier::new(config(), Arc::new(Phone), None)?;
    assert_eq!((threads()?, open_files()?), before, "construction starts a thread or opens a file");

    let test = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let with_test_runtime = (threads()?, open_files()?);
    let unused = NumberVerifier::new(config(), Arc::new(Phone), None)?;
    let ended = unused.ended();
    drop(unused);
    test.block_on(async { timeout(HANGS, ended).await })?;

    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, 0, hard)?;
    let rejected = test.block_on(verifier.verify(NUMBER.to_owned()));
    let checked = test.block_on(verifier.check());
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    assert!(matches!(rejected, Err(VerifyError::Internal)), "{rejected:?}");
    assert!(matches!(checked, Err(VerifyError::Internal)), "{checked:?}");
    assert_eq!((threads()?, open_files()?), with_test_runtime);

    let flow = verifier.begin(NUMBER.to_owned(), None);
    write(store, "")?;
    let result = test.block_on(async { timeout(HANGS, flow.result()).await })?;
    let no_roots = VerifyError::InvalidConfig { setting: Setting::RootCertificates };
    assert_eq!(result.map(|_| ()).unwrap_err().to_json(), no_roots.to_json(), "without a root");
    assert!(threads()?.values().any(|name| name == "number-verify"));

    let root = CertificateParams::default().self_signed(&KeyPair::generate()?)?.pem();
    let flow = verifier.begin(NUMBER.to_owned(), None);
    write(store, &root)?;
    for flow in [flow, verifier.begin(NUMBER.to_owned(), None)] {
        let result = test.block_on(async { timeout(HANGS, flow.result()).await })?;
        assert!(
            matches!(result, Err(VerifyError::Backend { .. })),
            "the store is read again and then cached: {result:?}"
        );
    }

    let ended = verifier.ended();
    drop(verifier);
    test.block_on(async { timeout(HANGS, ended).await })?;
    Ok(())
}

/// Nothing listens on this port.
fn config() -> Config {
    Config::new("https://127.0.0.1:9".to_owned())
}

/// Blocks until a reader opens the pipe.
fn write(store: &Path, text: &str) -> std::io::Result<()> {
    File::options().write(true).open(store)?.write_all(text.as_bytes())
}

fn threads() -> std::io::Result<BTreeMap<String, String>> {
    let mut threads = BTreeMap::new();
    for thread in fs::read_dir("/proc/self/task")? {
        let thread = thread?;
        let name = fs::read_to_string(thread.path().join("comm"))?;
        threads.insert(thread.file_name().to_string_lossy().into_owned(), name.trim().to_owned());
    }
    Ok(threads)
}

/// By descriptor. Excludes the directory itself, which is open while it is read.
fn open_files() -> std::io::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for file in fs::read_dir("/proc/self/fd")? {
        let file = file?;
        let Ok(target) = fs::read_link(file.path()) else { continue };
        files.insert(file.file_name().to_string_lossy().into_owned(), target.to_string_lossy().into_owned());
    }
    files.retain(|_, target| !target.ends_with("/fd"));
    Ok(files)
}
