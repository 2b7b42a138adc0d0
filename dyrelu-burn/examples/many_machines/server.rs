//! Servers: processes whose devices others compute on.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;

use burn::server::{RemoteServer, WebSocketTransport};
use burn::tensor::Device;

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
