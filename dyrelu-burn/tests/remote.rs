//! The same training over several devices, two of them served by other processes: the same gradients, the same
//! parameters, and an error and a way to continue when a server is gone.

#[path = "../examples/many_machines/network.rs"]
mod network;
#[path = "../examples/many_machines/progress.rs"]
mod progress;
#[path = "../examples/many_machines/server.rs"]
mod server;
#[path = "../examples/many_machines/stripes.rs"]
mod stripes;
#[path = "../examples/many_machines/training.rs"]
mod training;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use burn::data::dataset::{Dataset, DatasetError, InMemDataset};
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::PRelu;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::remote::RemoteHost;
use burn::tensor::{Device, Tensor};
use burn::train::MultiDeviceOptim;

use network::Network;
use server::Server;
use stripes::{Batch, Image};
use training::{Failure, Plan};

type Net = Network<PRelu>;

const BATCH: usize = 8;
const RATE: f64 = 0.05;
const EPOCHS: usize = 3;
/// Images of each of two devices: four batches.
const HALF: usize = 4 * BATCH;
/// Far more than any step takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// No test: the process of a [`Server`], which is this binary again.
#[test]
#[ignore = "other tests run it as a process of its own"]
fn serves() {
    if std::env::var_os("DYRELU_SERVER").is_some() {
        server::end_with_parent();
        server::serve(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    }
}

fn start_server() -> Server {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["serves", "--exact", "--ignored", "--nocapture"]).env("DYRELU_SERVER", "1");
    Server::start(&mut command).unwrap()
}

fn device(server: &Server) -> Device {
    Device::remote_options(&RemoteHost::websocket(&server.url)).init().unwrap()
}

/// The values of all parameters, or of their gradients.
#[derive(Default)]
struct Values<'a> {
    gradients: Option<&'a GradientsParams>,
    values: Vec<f32>,
}

impl ModuleVisitor for Values<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = match self.gradients {
            Some(gradients) => gradients.get::<D>(param.id).expect("every parameter has a gradient"),
            None => param.val(),
        };
        self.values.extend(tensor.into_data().convert::<f32>().iter::<f32>());
    }
}

fn parameters(network: &Net) -> Vec<f32> {
    let mut values = Values::default();
    network.visit(&mut values);
    values.values
}

fn gradients(network: &Net, gradients: &GradientsParams) -> Vec<f32> {
    let mut values = Values { gradients: Some(gradients), values: Vec::new() };
    network.visit(&mut values);
    values.values
}

/// The greatest difference, in relation to the greatest value.
#[track_caller]
fn assert_same(values: &[f32], expected: &[f32]) {
    assert_eq!(values.len(), expected.len());
    let largest = expected.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
    let difference = values.iter().zip(expected).fold(0.0, |max: f32, (x, y)| max.max((x - y).abs()));
    assert!(largest > 0.0 && difference <= 1e-5 * largest, "{difference} of {largest}");
}

/// By hand: a replica on each server computes the gradients of its half of a batch.
#[test]
fn gradients_of_two_servers_are_those_of_one_process() {
    let servers = [start_server(), start_server()];
    let local = Device::flex().autodiff();
    let network = Net::new(&local);
    let images = Image::some(0, 2 * HALF);
    let expected = network.forward(Batch::new(&images, &local)).loss.backward();
    let expected = GradientsParams::from_grads(expected, &network);

    let mut sum = GradientsAccumulator::new();
    let main = device(&servers[0]).autodiff();
    for (server, half) in servers.iter().zip(images.chunks(HALF)) {
        let device = device(server).autodiff();
        let replica = network.clone().fork(&device);
        // The mean over a half counts half.
        let loss = replica.forward(Batch::new(half, &device)).loss.div_scalar(2.0);
        let gradients = GradientsParams::from_grads(loss.backward(), &replica);
        // From one server to the other, not through this process.
        sum.accumulate(&network, gradients.to_device(&main, &network));
    }
    assert_same(&gradients(&network, &sum.grads()), &gradients(&network, &expected));
}

fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("remote").join(name);
    let _ = std::fs::remove_dir_all(&directory);
    directory
}

fn plan(name: &str, devices: Vec<Device>, optim: MultiDeviceOptim) -> Plan {
    Plan {
        devices,
        optim,
        batch: BATCH,
        rate: RATE,
        epochs: EPOCHS,
        directory: directory(name),
        checkpoint: None,
        patience: PATIENCE,
    }
}

fn train(plan: &Plan, network: &Net, images: impl Dataset<Image> + 'static) -> Result<Net, Failure> {
    training::train(plan, network.clone(), images, Image::some(1000, 2 * BATCH), |_| ())
}

fn images() -> InMemDataset<Image> {
    InMemDataset::new(Image::some(0, 2 * HALF))
}

/// What a single device learns with twice the batch and twice the rate from images in the order in which two
/// devices see them: the first has the first half, the second the second, and each step takes a batch of both.
fn single_process(name: &str, network: &Net) -> Vec<f32> {
    let images = Image::some(0, 2 * HALF);
    let (first, second) = images.split_at(HALF);
    let images = first.chunks(BATCH).zip(second.chunks(BATCH)).flat_map(|(a, b)| [a, b].concat()).collect();
    let plan = Plan {
        batch: 2 * BATCH,
        rate: 2.0 * RATE,
        ..plan(name, vec![Device::flex()], MultiDeviceOptim::OptimMainDevice)
    };
    parameters(&train(&plan, network, InMemDataset::new(images)).unwrap())
}

fn two_devices_learn_what_one_does(name: &str, devices: Vec<Device>, optim: MultiDeviceOptim) {
    let network = Net::new(&Device::flex());
    let trained = train(&plan(name, devices, optim), &network, images()).unwrap();
    let expected = single_process(&format!("{name} single"), &network);
    assert_same(&parameters(&trained), &expected);
}

#[test]
fn two_local_devices_learn_what_one_does() {
    let devices = vec![Device::flex(), Device::flex()];
    two_devices_learn_what_one_does("local", devices, MultiDeviceOptim::OptimMainDevice);
}

#[test]
fn two_servers_learn_what_one_process_does() {
    let servers = [start_server(), start_server()];
    let devices = servers.iter().map(device).collect();
    two_devices_learn_what_one_does("main", devices, MultiDeviceOptim::OptimMainDevice);
}

#[test]
fn two_servers_that_share_the_optimiser_learn_what_one_process_does() {
    let servers = [start_server(), start_server()];
    let devices = servers.iter().map(device).collect();
    two_devices_learn_what_one_does("sharded", devices, MultiDeviceOptim::OptimSharded);
}

/// Images, and a server that something happens to when the last of them is read in the second epoch.
struct Trap<F> {
    images: InMemDataset<Image>,
    reads: AtomicUsize,
    server: Mutex<Server>,
    spring: F,
}

impl<F: Fn(&mut Server) + Send + Sync> Trap<F> {
    fn new(server: Server, spring: F) -> Self {
        Self { images: images(), reads: AtomicUsize::new(0), server: Mutex::new(server), spring }
    }
}

impl<F: Fn(&mut Server) + Send + Sync> Dataset<Image> for Trap<F> {
    fn get(&self, index: usize) -> Result<Image, DatasetError> {
        // In the middle of the second of three epochs.
        if self.reads.fetch_add(1, Ordering::Relaxed) == 3 * HALF {
            (self.spring)(&mut self.server.lock().unwrap());
        }
        self.images.get(index)
    }

    fn len(&self) -> usize {
        self.images.len()
    }
}

fn training_continues_after(name: &str, optim: MultiDeviceOptim, killed: usize) {
    let mut servers = vec![start_server(), start_server()];
    let network = Net::new(&Device::flex());
    let plan = plan(name, servers.iter().map(device).collect(), optim);
    let victim = servers.remove(killed);
    let error = train(&plan, &network, Trap::new(victim, Server::kill)).unwrap_err();
    println!("{error}");

    // A new session on the server that is left, and a new server.
    let servers = [servers.remove(0), start_server()];
    let continued = Plan { checkpoint: Some(1), devices: servers.iter().map(device).collect(), ..plan };
    let trained = train(&continued, &network, images()).unwrap();
    let expected = single_process(&format!("{name} single"), &network);
    assert_same(&parameters(&trained), &expected);
}

#[test]
fn the_second_server_is_killed() {
    training_continues_after("second killed", MultiDeviceOptim::OptimMainDevice, 1);
}

#[test]
fn the_first_server_is_killed() {
    training_continues_after("first killed", MultiDeviceOptim::OptimMainDevice, 0);
}

#[test]
fn a_server_that_shares_the_optimiser_is_killed() {
    training_continues_after("sharded killed", MultiDeviceOptim::OptimSharded, 1);
}
