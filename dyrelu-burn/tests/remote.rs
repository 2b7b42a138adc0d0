//! The same training over several devices, two of them served by other processes: the same gradients, the same
//! parameters, and an error and a way to continue when a server is gone.

#[path = "../examples/many_machines/network.rs"]
mod network;
#[path = "../examples/many_machines/progress.rs"]
#[allow(dead_code)]
mod progress;
#[path = "../examples/many_machines/server.rs"]
#[allow(dead_code)]
mod server;
#[path = "../examples/many_machines/stripes.rs"]
mod stripes;
#[path = "../examples/many_machines/training.rs"]
mod training;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use burn::data::dataset::{Dataset, DatasetError, InMemDataset};
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::BatchNormConfig;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::distributed::{DistributedConfig, ReduceOperation, all_reduce};
use burn::tensor::remote::RemoteHost;
use burn::tensor::{Device, Tensor};
use burn::train::{ExecutionStrategy, MultiDeviceOptim};
use dyrelu::dynamic_activation;
use dyrelu_burn::Layer;

use network::Network;
use server::{Server, answers};
use stripes::{Batch, Image};
use training::{Failure, Plan};

#[dynamic_activation(k = 2, share = "spatial")]
struct DyReluB;

type Net = Network<Layer<DyReluB>>;

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
    if let Ok(address) = std::env::var("DYRELU_SERVER") {
        server::end_with_parent();
        server::serve(address.parse().unwrap()).unwrap();
    }
}

fn start_server() -> Server {
    start_server_at("127.0.0.1:0")
}

fn start_server_at(address: &str) -> Server {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["serves", "--exact", "--ignored", "--nocapture"])
        .env("DYRELU_SERVER", address);
    // Burn's servers panic when a client is gone, in the thread that served it.
    command.env("RUST_BACKTRACE", "0");
    Server::start(&mut command).unwrap()
}

fn device(server: &Server) -> Device {
    server::connect(&server.url).unwrap()
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
            Some(gradients) => gradients
                .get::<D>(param.id)
                .expect("every parameter has a gradient"),
            None => param.val(),
        };
        self.values
            .extend(tensor.into_data().convert::<f32>().iter::<f32>());
    }
}

fn parameters(network: &Net) -> Vec<f32> {
    let mut values = Values::default();
    network.visit(&mut values);
    values.values
}

fn gradients(network: &Net, gradients: &GradientsParams) -> Vec<f32> {
    let mut values = Values {
        gradients: Some(gradients),
        values: Vec::new(),
    };
    network.visit(&mut values);
    values.values
}

/// The greatest difference, in relation to the greatest value.
#[track_caller]
fn assert_same(values: &[f32], expected: &[f32]) {
    assert_eq!(values.len(), expected.len());
    let largest = expected.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
    let difference = values
        .iter()
        .zip(expected)
        .fold(0.0, |max: f32, (x, y)| max.max((x - y).abs()));
    assert!(
        largest > 0.0 && difference <= 1e-5 * largest,
        "{difference} of {largest}"
    );
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
    assert_same(
        &gradients(&network, &sum.grads()),
        &gradients(&network, &expected),
    );
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
    training::train(
        plan,
        network.clone(),
        images,
        Image::some(1000, 2 * BATCH),
        |_| (),
    )
}

fn images() -> InMemDataset<Image> {
    InMemDataset::new(Image::some(0, 2 * HALF))
}

/// What a single device learns with twice the batch and twice the rate from images in the order in which two
/// devices see them: the first has the first half, the second the second, and each step takes a batch of both.
fn single_process(name: &str, network: &Net) -> Vec<f32> {
    let images = Image::some(0, 2 * HALF);
    let (first, second) = images.split_at(HALF);
    let images = first
        .chunks(BATCH)
        .zip(second.chunks(BATCH))
        .flat_map(|(a, b)| [a, b].concat())
        .collect();
    let plan = Plan {
        batch: 2 * BATCH,
        rate: 2.0 * RATE,
        ..plan(name, vec![Device::flex()], MultiDeviceOptim::OptimMainDevice)
    };
    parameters(&train(&plan, network, InMemDataset::new(images)).unwrap())
}

fn two_devices_learn_what_one_does(name: &str, devices: Vec<Device>, optim: MultiDeviceOptim) {
    let network = Net::new(&Device::flex().autodiff());
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

/// Images, and a server that something happens to in the middle of the second of three epochs.
struct Trap {
    images: InMemDataset<Image>,
    reads: AtomicUsize,
    server: Arc<Mutex<Server>>,
    spring: fn(&mut Server),
}

impl Trap {
    fn new(server: &Arc<Mutex<Server>>, spring: fn(&mut Server)) -> Self {
        Self {
            images: images(),
            reads: AtomicUsize::new(0),
            server: server.clone(),
            spring,
        }
    }
}

impl Dataset<Image> for Trap {
    fn get(&self, index: usize) -> Result<Image, DatasetError> {
        if self.reads.fetch_add(1, Ordering::Relaxed) == 3 * HALF {
            (self.spring)(&mut self.server.lock().unwrap());
        }
        self.images.get(index)
    }

    fn len(&self) -> usize {
        self.images.len()
    }
}

/// Of two servers, the one of this index is killed; a new one takes its place.
fn training_continues_without(killed: usize, name: &str, optim: MultiDeviceOptim) {
    let mut servers = vec![start_server(), start_server()];
    let network = Net::new(&Device::flex().autodiff());
    let plan = plan(name, servers.iter().map(device).collect(), optim);
    let victim = Arc::new(Mutex::new(servers.remove(killed)));
    let error = train(&plan, &network, Trap::new(&victim, Server::kill)).unwrap_err();
    println!("{name}: {error}");
    assert!(!matches!(error, Failure::Silent(_)), "{error}");

    let survivor = servers.remove(0);
    assert!(answers(&survivor.url, PATIENCE));
    assert!(!answers(&victim.lock().unwrap().url, Duration::from_secs(1)));
    let servers = [survivor, start_server()];
    let continued = Plan {
        checkpoint: Some(1),
        devices: servers.iter().map(device).collect(),
        ..plan
    };
    let trained = train(&continued, &network, images()).unwrap();
    let expected = single_process(&format!("{name} single"), &network);
    assert_same(&parameters(&trained), &expected);
}

#[test]
fn training_continues_without_the_first_server() {
    training_continues_without(0, "first killed", MultiDeviceOptim::OptimMainDevice);
}

#[test]
fn training_continues_without_the_second_server() {
    training_continues_without(1, "second killed", MultiDeviceOptim::OptimMainDevice);
}

#[test]
fn training_continues_without_a_server_that_shared_the_optimiser() {
    training_continues_without(1, "sharded killed", MultiDeviceOptim::OptimSharded);
}

/// A process that is stopped keeps its connections, so nothing but time shows that it is gone.
#[cfg(unix)]
#[test]
fn a_server_that_hangs_is_noticed() {
    fn stop(server: &mut Server) {
        let id = server.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-STOP", &id])
                .status()
                .unwrap()
                .success()
        );
    }
    let servers = [start_server(), start_server()];
    let plan = Plan {
        patience: Duration::from_secs(5),
        ..plan(
            "hangs",
            servers.iter().map(device).collect(),
            MultiDeviceOptim::OptimMainDevice,
        )
    };
    let [first, second] = servers;
    let second = Arc::new(Mutex::new(second));
    let outcome = train(
        &plan,
        &Net::new(&Device::flex().autodiff()),
        Trap::new(&second, stop),
    );
    let answers = answers(&second.lock().unwrap().url, Duration::from_secs(1));
    // The training's thread has its share of this server and does not end as long as the server hangs.
    second.lock().unwrap().kill();
    drop(first);
    assert!(matches!(outcome, Err(Failure::Silent(_))), "{:?}", outcome.err());
    assert!(!answers);
}

#[test]
fn a_new_server_at_an_old_address_needs_a_new_session() {
    let one = |device: &Device| Tensor::<1>::ones([1], device).try_into_scalar::<f32>();
    let server = start_server();
    let host = RemoteHost::websocket(&server.url);
    assert_eq!(
        one(&Device::remote_options(&host).init().unwrap()).ok(),
        Some(1.0)
    );
    let address = server.url.trim_start_matches("ws://").to_string();
    drop(server);
    let server = start_server_at(&address);
    // Burn returns the dead session without a word.
    one(&Device::remote_options(&host).init().unwrap()).unwrap_err();
    assert_eq!(one(&device(&server)).ok(), Some(1.0));
}

/// Why `multi` cannot train batch normalisation, nor attention that is normalised by running statistics: a replica
/// moves the statistics of all replicas to its own device.
#[test]
fn replicas_share_their_running_statistics() {
    let server = start_server();
    let norm = BatchNormConfig::new(1).init(&Device::flex());
    let remote = device(&server);
    let _replica = norm.clone().fork(&remote);
    assert_eq!(norm.running_mean.value().device(), remote);
}

#[test]
#[should_panic(expected = "Distributed operations are not supported for device")]
fn flex_has_no_collectives() {
    let config = DistributedConfig {
        all_reduce_op: ReduceOperation::Mean,
    };
    let _ = ExecutionStrategy::ddp(vec![Device::flex(), Device::flex()], config);
}

#[test]
#[should_panic(expected = "cross-peer all_reduce is not supported yet")]
fn collectives_do_not_cross_servers() {
    let servers = [start_server(), start_server()];
    let devices = servers.iter().map(device).collect::<Vec<_>>();
    let ones = Tensor::<1>::ones([1], &devices[0]);
    let _ = all_reduce(ones, ReduceOperation::Sum, devices);
}
