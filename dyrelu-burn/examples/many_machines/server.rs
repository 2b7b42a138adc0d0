//! Servers: processes whose devices others compute on.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use burn::server::{RemoteServer, WebSocketTransport};
use burn::tensor::remote::{ConnectError, RemoteHost};
use burn::tensor::{Device, Tensor};

/// Serves the default device of this machine until the process is stopped, and prints where. Port 0 takes a free
/// one.
///
/// A machine with several GPUs serves all of them with `Device::enumerate`; clients choose by their index.
pub(crate) fn serve(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address)?;
    println!("ws://{}", listener.local_addr()?);
    RemoteServer::new([Device::default()]).serve(WebSocketTransport::from_listener(listener))?;
    Ok(())
}

/// Ends this process when its standard input closes, which happens when the process that started it is gone.
pub(crate) fn end_with_parent() {
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}

/// The device of a server, in a session of its own.
///
/// A process has one session for each address and credential, and it stays dead once it has died, whoever serves
/// there by then. Servers that check no credentials take any, so a new one makes a new session; with servers that do,
/// start a new process.
pub(crate) fn connect(url: &str) -> Result<Device, ConnectError> {
    static SESSIONS: AtomicUsize = AtomicUsize::new(0);
    let session = SESSIONS.fetch_add(1, Ordering::Relaxed).to_string();
    Device::remote_options(&RemoteHost::websocket(url).with_credential(session)).init()
}

/// Whether a server computes anything within this time. Burn's errors do not say which server they come from.
pub(crate) fn answers(url: &str, patience: Duration) -> bool {
    let (sender, answer) = mpsc::channel();
    let url = url.to_string();
    // Burn itself waits for a quarter of a minute for a server to start, and without end for one that hangs.
    thread::spawn(move || {
        let sum = connect(&url)
            .ok()
            .and_then(|device| Tensor::<1>::ones([2], &device).sum().try_into_scalar().ok());
        sender.send(sum == Some(2.0_f32))
    });
    answer.recv_timeout(patience).unwrap_or(false)
}

/// A server of this machine in its own process, which ends with this value.
pub(crate) struct Server {
    process: Child,
    /// Where it serves.
    pub(crate) url: String,
}

impl Server {
    /// Runs a command that calls [`serve`].
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut line = String::new();
        let url = loop {
            line.clear();
            if output.read_line(&mut line)? == 0 {
                process.wait()?;
                return Err(io::Error::other(
                    "the server ended before it said where it serves",
                ));
            }
            if let Some((_, address)) = line.rsplit_once("ws://") {
                break format!("ws://{}", address.trim());
            }
        };
        // It waits when nobody reads what it prints.
        thread::spawn(move || io::copy(&mut output, &mut io::sink()));
        Ok(Self { process, url })
    }

    /// Ends the process at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// The operating system's number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
