//! A headless Chromium, driven over its DevTools protocol: JSON over WebSocket.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Instant;

use data_encoding::BASE64;
use serde_json::Value;
use serde_json::json;
use tungstenite::Message;
use tungstenite::WebSocket;
use tungstenite::protocol::WebSocketConfig;

use crate::binary::PATIENCE;

/// A running browser, killed when dropped.
pub(super) struct Browser {
    child: Child,
    profile: PathBuf,
    socket: WebSocket<TcpStream>,
    calls: u64,
}

/// A tab of it.
pub(super) struct Tab {
    target: String,
    session: String,
}

impl Browser {
    /// Starts a browser with a profile of its own; `None` when none is installed.
    pub(super) fn start(name: &str) -> Option<Self> {
        let program = PROGRAMS.into_iter().find(|program| is_installed(program))?;
        let profile = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("chromium-{name}"));
        drop(fs::remove_dir_all(&profile));
        let mut child = Command::new(program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let endpoint = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                line.strip_prefix("DevTools listening on ")
                    .map(str::to_owned)
            })
            .expect("the browser says where it listens");
        // What else it says is read, so that it never waits for us, and is not looked at.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let address = endpoint
            .trim_start_matches("ws://")
            .split('/')
            .next()
            .unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let config = WebSocketConfig::default()
            .max_frame_size(None)
            .max_message_size(None);
        let (socket, _) =
            tungstenite::client::client_with_config(endpoint, stream, Some(config)).unwrap();
        Some(Self {
            child,
            profile,
            socket,
            calls: 0,
        })
    }

    /// Opens a tab.
    pub(super) fn open(&mut self, url: &str) -> Tab {
        let target = self.call(None, "Target.createTarget", json!({"url": "about:blank"}));
        let id = &target["targetId"];
        let attach = json!({"targetId": id, "flatten": true});
        let attached = self.call(None, "Target.attachToTarget", attach);
        let tab = Tab {
            target: id.as_str().unwrap().to_owned(),
            session: attached["sessionId"].as_str().unwrap().to_owned(),
        };
        self.call(Some(&tab), "Page.enable", json!({}));
        self.call(Some(&tab), "Page.navigate", json!({"url": url}));
        self.until(
            &tab,
            "document.readyState === 'complete' && location.protocol === 'http:'",
        );
        tab
    }

    /// Closes a tab, as a user does.
    pub(super) fn close(&mut self, tab: Tab) {
        let Tab { target, .. } = tab;
        self.call(None, "Target.closeTarget", json!({"targetId": target}));
    }

    /// Loads a tab again, and waits until it is another document.
    pub(super) fn reload(&mut self, tab: &Tab) {
        self.evaluate(tab, "window.isOld = true");
        self.call(Some(tab), "Page.reload", json!({}));
        // The old document may go while it is asked.
        let script = json!({"expression": "document.readyState === 'complete' && !window.isOld"});
        let start = Instant::now();
        while self.call(Some(tab), "Runtime.evaluate", script.clone())["result"]["value"] != true {
            assert!(start.elapsed() < PATIENCE, "never loaded again");
        }
    }

    /// What an expression evaluates to; a promise is awaited.
    pub(super) fn evaluate(&mut self, tab: &Tab, expression: &str) -> Value {
        let parameters =
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut answer = self.call(Some(tab), "Runtime.evaluate", parameters);
        assert_eq!(answer.get("exceptionDetails"), None, "{expression}");
        answer["result"]["value"].take()
    }

    /// Waits until a condition holds in a tab.
    pub(super) fn until(&mut self, tab: &Tab, condition: &str) {
        let wait = format!(
            "new Promise(done => {{
                const end = Date.now() + 20000;
                const look = () => {{
                    const holds = Boolean({condition});
                    if (holds || Date.now() > end) done(holds); else setTimeout(look, 20);
                }};
                look();
            }})"
        );
        let holds = self.evaluate(tab, &wait);
        if holds != true {
            let text = self.evaluate(tab, "document.body.innerText");
            panic!(
                "never came true: {condition}\n{}",
                text.as_str().unwrap_or_default()
            );
        }
    }

    /// Shows the tab in this size and colour scheme, and takes a picture of it, a PNG.
    pub(super) fn screenshot(&mut self, tab: &Tab, size: (u32, u32), scheme: &str) -> Vec<u8> {
        let (width, height) = size;
        let metrics = json!(
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}
        );
        self.call(Some(tab), "Page.bringToFront", json!({}));
        self.call(Some(tab), "Emulation.setDeviceMetricsOverride", metrics);
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call(Some(tab), "Emulation.setEmulatedMedia", media);
        let shot = self.call(
            Some(tab),
            "Page.captureScreenshot",
            json!({"format": "png"}),
        );
        BASE64
            .decode(shot["data"].as_str().unwrap().as_bytes())
            .unwrap()
    }

    fn call(&mut self, tab: Option<&Tab>, method: &str, parameters: impl Into<Value>) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut call = json!({"id": id, "method": method, "params": parameters.into()});
        if let Some(tab) = tab {
            call["sessionId"] = json!(tab.session);
        }
        self.socket.send(Message::text(call.to_string())).unwrap();
        loop {
            let message = self.socket.read().unwrap();
            let Message::Text(text) = message else {
                continue;
            };
            let mut answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == id {
                assert_eq!(answer.get("error"), None, "{method}");
                return answer["result"].take();
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.profile));
    }
}

fn is_installed(program: &str) -> bool {
    let mut version = Command::new(program);
    version
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

const FLAGS: [&str; 13] = [
    "--headless",
    "--hide-scrollbars",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    // The tabs behind the first one run as fast as it does.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--remote-debugging-port=0",
];
