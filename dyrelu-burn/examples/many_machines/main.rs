//! Trains one network on several machines, and goes on when one of them is lost:
//!
//! ```sh
//! cargo run --release -p dyrelu-burn --example many_machines
//! ```
//!
//! plays it through on this machine, with two server processes. With machines of your own, run on each
//!
//! ```sh
//! cargo run --release -p dyrelu-burn --example many_machines -- serve 192.168.1.5:3000
//! ```
//!
//! and on any
//!
//! ```sh
//! cargo run --release -p dyrelu-burn --example many_machines -- train ws://192.168.1.5:3000 ws://192.168.1.6:3000
//! ```
//!
//! All of it is Burn's. The network neither knows nor cares where it runs; `docs/many_machines.md` explains the rest.

mod network;
mod progress;
mod server;
mod stripes;
mod training;

use std::error::Error;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use burn::data::dataset::InMemDataset;
use burn::tensor::Device;
use burn::train::MultiDeviceOptim;
use clap::{Parser, Subcommand};
use dyrelu::dynamic_activation;
use dyrelu_burn::Layer;

use network::Network;
use progress::Progress;
use server::{Server, answers, connect};
use stripes::Image;
use training::{Plan, train};

#[dynamic_activation(k = 2, share = "spatial")]
struct DyReluB;

type Net = Network<Layer<DyReluB>>;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// Serve the device of this machine.
    Serve {
        /// Address and port to listen on, unencrypted: only of a network that you trust. Port 0 takes a free one.
        #[arg(default_value = "127.0.0.1:0")]
        address: SocketAddr,
        /// Stop when the standard input closes.
        #[arg(long)]
        with_parent: bool,
    },
    /// Train on these servers.
    Train {
        /// What the servers printed.
        #[arg(required = true)]
        servers: Vec<String>,
    },
}

fn main() -> Result<(), Box<dyn Error>> {
    match Arguments::parse().role {
        Some(Role::Serve { address, with_parent }) => {
            if with_parent {
                server::end_with_parent();
            }
            server::serve(address)
        }
        Some(Role::Train { servers }) => on_servers(&servers),
        None => rehearsal(),
    }
}

const EPOCHS: usize = 6;

fn plan(devices: Vec<Device>) -> Plan {
    Plan {
        devices,
        optim: MultiDeviceOptim::OptimMainDevice,
        batch: 16,
        rate: 0.05,
        epochs: EPOCHS,
        directory: std::env::temp_dir().join(format!("many_machines-{}", std::process::id())),
        checkpoint: None,
        patience: Duration::from_mins(1),
    }
}

fn images() -> InMemDataset<Image> {
    InMemDataset::new(Image::some(0, 256))
}

fn valid() -> Vec<Image> {
    Image::some(1000, 64)
}

fn on_servers(urls: &[String]) -> Result<(), Box<dyn Error>> {
    let devices = urls.iter().map(|url| connect(url)).collect::<Result<_, _>>()?;
    let plan = plan(devices);
    train(
        &plan,
        Net::new(&Device::flex().autodiff()),
        images(),
        valid(),
        print,
    )?;
    println!("Checkpoints: {}", plan.directory.display());
    Ok(())
}

/// Two servers, one of which is lost and replaced.
fn rehearsal() -> Result<(), Box<dyn Error>> {
    let mut first = start_server()?;
    let second = start_server()?;
    println!("Two servers, in processes {} and {}:", first.id(), second.id());
    let network = Net::new(&Device::flex().autodiff());
    let plan = plan(vec![connect(&first.url)?, connect(&second.url)?]);
    let mut last = 0;
    let started = Instant::now();
    let training = train(&plan, network.clone(), images(), valid(), |progress| {
        print(progress);
        match progress {
            Progress::Epoch { epoch, .. } => last = epoch,
            Progress::Batch { epoch } if epoch == EPOCHS / 2 => first.kill(),
            Progress::Batch { .. } => {}
        }
    });
    let Err(failure) = training else {
        return Err("the training did not notice that a server is gone".into());
    };
    println!("{failure}");
    for server in [&first, &second] {
        let answer = if answers(&server.url, Duration::from_secs(2)) {
            "answers"
        } else {
            "does not answer"
        };
        println!("The server in process {} {answer}.", server.id());
    }

    let third = start_server()?;
    println!(
        "Continuing after epoch {last} with the second server and a new one, in process {}:",
        third.id()
    );
    let plan = Plan {
        devices: vec![connect(&second.url)?, connect(&third.url)?],
        checkpoint: Some(last),
        ..plan
    };
    train(&plan, network, images(), valid(), print)?;
    println!("{:.1?} in all", started.elapsed());
    std::fs::remove_dir_all(&plan.directory)?;
    Ok(())
}

fn start_server() -> std::io::Result<Server> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["serve", "--with-parent"]);
    // A thread of a server panics when its client is gone; others go on.
    command.stderr(Stdio::null());
    Server::start(&mut command)
}

fn print(progress: Progress) {
    if let Progress::Epoch {
        epoch,
        loss,
        accuracy,
    } = progress
    {
        println!("  epoch {epoch}: loss {loss:.3}, accuracy {accuracy:.0} %");
    }
}
