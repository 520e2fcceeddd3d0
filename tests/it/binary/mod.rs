//! The shipped binary, started on a free port, and clients to talk to it.
//!
//! Nothing here sleeps: what is waited for is read from a socket or a pipe, and a deadline on
//! every read turns a hang into a failure.

mod curl;
mod http;
mod local;
mod raw;
mod sse;
mod ws;

use std::fs;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::ErrorKind;
use std::io::Read;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::process::ChildStderr;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

pub(crate) use self::curl::Curl;
pub(crate) use self::http::Response;
pub(crate) use self::http::request;
pub(crate) use self::local::listen;
pub(crate) use self::local::serve;
pub(crate) use self::raw::Came;
pub(crate) use self::raw::HANDSHAKE;
pub(crate) use self::raw::Raw;
pub(crate) use self::raw::masked_text;
pub(crate) use self::sse::Sse;
pub(crate) use self::ws::Ws;

/// How long anything may take before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Lets others work before the server is asked again: a thousand tests share the machine.
pub(crate) fn pause() {
    thread::sleep(Duration::from_millis(5));
}

/// A running `throng`, killed when dropped.
pub(crate) struct Throng {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Throng {
    /// Starts the binary with these arguments, on a free port.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", arguments)
    }

    /// Starts the binary with these arguments, at this address.
    pub(crate) fn start_at(address: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command.args(["--listen", address]).args(arguments);
        Self::run(command)
    }

    /// Starts the binary with these arguments and so many file descriptors, on a free port; and
    /// what it logs.
    pub(crate) fn start_with_files(
        files: usize,
        arguments: &[&str],
    ) -> (Self, BufReader<ChildStderr>) {
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {files} && exec \"$0\" --listen 127.0.0.1:0 \"$@\"");
        command
            .args(["-c", &script, env!("CARGO_BIN_EXE_throng"), "--insecure"])
            .args(arguments);
        Self::run_logging(command)
    }

    /// Starts the binary with these arguments, on a free port; and what it logs.
    pub(crate) fn start_logging(arguments: &[&str]) -> (Self, BufReader<ChildStderr>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command
            .args(["--listen", "127.0.0.1:0", "--insecure"])
            .args(arguments);
        Self::run_logging(command)
    }

    fn run_logging(mut command: Command) -> (Self, BufReader<ChildStderr>) {
        command.stderr(Stdio::piped());
        let mut throng = Self::run(command);
        let log = throng.child.stderr.take().unwrap();
        (throng, BufReader::new(log))
    }

    /// Starts the binary with these arguments, on a free port, and has it log into a file; or says
    /// how it ended, where it did not start.
    pub(crate) fn start_logging_to(log: &Path, arguments: &[&str]) -> Result<Self, ExitStatus> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command
            .args(["--listen", "127.0.0.1:0", "--insecure"])
            .args(arguments);
        command.stderr(File::create(log).unwrap());
        Self::try_run(command)
    }

    fn run(command: Command) -> Self {
        Self::try_run(command).unwrap()
    }

    fn try_run(mut command: Command) -> Result<Self, ExitStatus> {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        if line.is_empty() {
            return Err(child.wait().unwrap());
        }
        let address = line.trim().rsplit('/').next().unwrap().parse().unwrap();
        Ok(Self { child, address })
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.unwrap().split_whitespace().next().unwrap();
        kib.parse::<u64>().unwrap() * 1024
    }

    /// Open files.
    pub(crate) fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.id());
        fs::read_dir(folder).unwrap().count()
    }

    /// Looks at the open files until there are no more than so many.
    pub(crate) fn descriptors_until(&self, most: usize) {
        let start = Instant::now();
        while self.descriptors() > most {
            let patient = start.elapsed() < PATIENCE;
            assert!(patient, "still {} files, not {most}", self.descriptors());
            pause();
        }
    }

    /// A plain connection.
    pub(crate) fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A client that has been greeted.
    pub(crate) fn ws(&self) -> Ws {
        Ws::open(self.address, "/ws").greeted()
    }

    /// A client that has been greeted as this user.
    pub(crate) fn ws_as(&self, user: &str) -> Ws {
        Ws::open(self.address, &format!("/ws?user={user}")).greeted()
    }

    /// A client that is subscribed to this channel.
    pub(crate) fn ws_joined(&self, channel: &str) -> Ws {
        let mut client = self.ws();
        client.join(channel);
        client
    }

    /// A stream that has been greeted, and the `connected`.
    pub(crate) fn sse(&self, path: &str) -> (Sse, Value) {
        self.sse_with(path, &[])
    }

    /// A stream that was asked for with these headers, and the `connected`.
    pub(crate) fn sse_with(&self, path: &str, headers: &[(&str, &str)]) -> (Sse, Value) {
        let mut stream = Sse::open(self.address, path, headers);
        let connected = stream.expect("connected");
        (stream, connected)
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, content_type: &str, body: impl AsRef<[u8]>) -> Response {
        self.request(
            "POST",
            path,
            &[("content-type", content_type)],
            body.as_ref(),
        )
    }

    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        request(self.tcp(), method, path, headers, body)
    }

    /// Publishes a JSON value, and returns the delivery.
    pub(crate) fn publish(&self, channel: &str, data: &Value) -> Value {
        let body = format!(r#"{{"data":{data}}}"#);
        let path = format!("/api/v1/channels/{channel}/publish");
        let response = self.post(&path, "application/json", body);
        assert_eq!(response.status, 200, "{response:?}");
        response.json()
    }

    /// The counters of the hub.
    pub(crate) fn stats(&self) -> Value {
        self.get("/api/v1/stats").json()
    }

    /// Asks for the counters until `done` is content with them.
    pub(crate) fn stats_until(&self, done: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let stats = self.stats();
            if done(&stats) {
                return stats;
            }
            assert!(start.elapsed() < PATIENCE, "still {stats}");
            pause();
        }
    }

    /// What is shown of a client once so many frames have gone to it: they are counted a moment
    /// after they have arrived.
    pub(crate) fn client_after(&self, id: &str, frames: u64) -> Value {
        self.client_until(id, |view| view["connection"]["frames_out"] == frames)
    }

    /// What is shown of a client once `done` is true of it.
    pub(crate) fn client_until(&self, id: &str, done: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let view = self.get(&format!("/api/v1/clients/{id}/stats")).json();
            if done(&view) {
                return view;
            }
            assert!(start.elapsed() < PATIENCE, "still {view}");
            pause();
        }
    }

    /// Sends a signal, as `kill` names it.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Throng {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads to the end, which comes when the server hangs up, and returns what was read before.
pub(crate) fn hung_up(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => bytes,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => bytes,
        Err(error) => panic!("not hung up on: {error}"),
    }
}
