//! Tests of the networks and of their training.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::{PRelu, Relu};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Tensor};
use dyrelu_burn::Layer;
use ndarray::Array1;

use crate::candidate::Candidate;
use crate::dataset::{Maps, SIDE, Split};
use crate::dynamic::{DyLinearA, DyLinearB, DyLinearC, DyReluA, DyReluB, DyReluC};
use crate::identity::Identity;
use crate::journal::Epoch;
use crate::network::{Network, NetworkConfig};
use crate::relu_se::ReluSe;
use crate::run::Run;
use crate::training::{Plan, TrainingConfig, train};
use crate::turn::turn;

fn device() -> Device {
    Device::flex().autodiff()
}

fn parameters<A: Candidate, P: Candidate>(config: &NetworkConfig) -> usize {
    config.init::<A, P>(&device()).parameters()
}

#[test]
fn the_reference_network_has_its_known_parameters() {
    let _turn = turn();
    let [narrow, wide] = [4, 8].map(NetworkConfig::reference);
    assert_eq!(parameters::<Relu, Identity>(&narrow), 2_758);
    assert_eq!(parameters::<Relu, Identity>(&wide), 8_026);
    assert_eq!(parameters::<PRelu, Identity>(&narrow), 2_954);
    assert_eq!(parameters::<PRelu, Identity>(&wide), 8_418);
    assert_eq!(parameters::<ReluSe, Identity>(&narrow), 4_570);
    assert_eq!(parameters::<ReluSe, Identity>(&wide), 12_184);
    assert_eq!(parameters::<Layer<DyReluA>, Identity>(&narrow), 3_830);
    assert_eq!(parameters::<Layer<DyReluA>, Identity>(&wide), 10_200);
    assert_eq!(parameters::<Layer<DyReluB>, Identity>(&narrow), 7_510);
    assert_eq!(parameters::<Layer<DyReluB>, Identity>(&wide), 18_928);
    assert_eq!(parameters::<Layer<DyReluC>, Identity>(&narrow), 7_718);
    assert_eq!(parameters::<Layer<DyReluC>, Identity>(&wide), 19_332);
}

/// Those of torchvision, which are also those of the paper.
#[test]
fn mobilenet_v2_has_its_known_parameters_and_multiply_adds() {
    let _turn = turn();
    for (width, expected, millions) in [
        (1.0, 3_504_872, 300.77),
        (0.75, 2_636_424, 209.07),
        (0.5, 1_968_680, 97.13),
        (0.35, 1_677_128, 59.29),
    ] {
        let config = NetworkConfig::mobilenet_v2(width, 224)
            .with_inputs(3)
            .with_classes(1000);
        assert_eq!(parameters::<Relu, Identity>(&config), expected);
        let found = config.multiply_adds::<Relu, Identity>(224) as f64 / 1e6;
        assert!((found - millions).abs() < 0.006, "{found}, expected {millions}");
    }
}

#[test]
fn small_images_are_halved_less_often() {
    let strides = |side| {
        let config = NetworkConfig::mobilenet_v2(1.0, side);
        let stages = config.stages.iter().map(|stage| stage.stride);
        [config.stem[1]].into_iter().chain(stages).collect::<Vec<_>>()
    };
    assert_eq!(strides(224), [2, 1, 2, 2, 2, 1, 2, 1]);
    assert_eq!(strides(64), [1, 1, 2, 2, 2, 1, 2, 1]);
    assert_eq!(strides(28), [1, 1, 1, 2, 2, 1, 2, 1]);
    assert_eq!(strides(8), [1, 1, 1, 1, 1, 1, 2, 1]);
}

#[test]
fn logits_have_a_column_for_each_class() {
    let _turn = turn();
    let device = Device::flex();
    let images = Tensor::random([2, 1, 28, 28], Distribution::Default, &device);
    let reference: Network<PRelu, Identity> = NetworkConfig::reference(4).init(&device);
    assert_eq!(reference.forward(images.clone()).dims(), [2, 10]);
    let config = NetworkConfig::mobilenet_v2(0.1, 28).with_classes(7);
    let mobilenet: Network<Relu, Identity> = config.init(&device);
    assert_eq!(mobilenet.forward(images).dims(), [2, 7]);
}

/// Every parameter has a gradient; only that of an attention's bias is zero, since softmax ignores what all scores share.
fn gradients_reach_all_parameters<A: Candidate, P: Candidate>() {
    let device = device();
    device.seed(5);
    for config in [NetworkConfig::reference(4), NetworkConfig::mobilenet_v2(0.1, 16)] {
        let network = config.init::<A, P>(&device);
        let images = Tensor::random([8, 1, 16, 16], Distribution::Normal(0.0, 1.0), &device);
        let weights = Tensor::random([8, 10], Distribution::Normal(0.0, 1.0), &device);
        let loss = (network.forward(images) * weights).sum();
        let grads = GradientsParams::from_grads(loss.backward(), &network);
        let mut missing = Missing {
            grads,
            paths: Vec::new(),
            path: Vec::new(),
        };
        network.visit(&mut missing);
        assert!(missing.paths.is_empty(), "no gradients for {:?}", missing.paths);
    }
}

/// The paths of the parameters whose gradient is missing or zero.
struct Missing {
    grads: GradientsParams,
    paths: Vec<String>,
    path: Vec<String>,
}

impl ModuleVisitor for Missing {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let reached = |grad: Tensor<D>| grad.abs().max().into_scalar::<f32>() > 0.0;
        let ignored = self.path.ends_with(&["attention".to_owned(), "bias".to_owned()]);
        if parameter.is_require_grad() && !ignored && !self.grads.get(parameter.id).is_some_and(reached) {
            self.paths.push(self.path.join("."));
        }
    }

    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
}

#[test]
fn gradients_reach_all_parameters_of_static_activations() {
    let _turn = turn();
    gradients_reach_all_parameters::<Relu, Identity>();
    gradients_reach_all_parameters::<PRelu, Identity>();
    gradients_reach_all_parameters::<ReluSe, Identity>();
}

#[test]
fn gradients_reach_all_parameters_of_dynamic_activations() {
    let _turn = turn();
    gradients_reach_all_parameters::<Layer<DyReluA>, Layer<DyLinearA>>();
    gradients_reach_all_parameters::<Layer<DyReluB>, Layer<DyLinearB>>();
    gradients_reach_all_parameters::<Layer<DyReluC>, Layer<DyLinearC>>();
}

/// Bright and dark images, as two classes.
fn split(count: usize) -> Arc<Split> {
    let images = Maps::from_shape_fn((count, 1, SIDE, SIDE), |(n, _, y, x)| {
        let texture = ((n * 7 + y * 3 + x * 5) % 11) as f32 / 11.0;
        if n % 2 == 0 { texture - 1.0 } else { texture }
    });
    Arc::new(Split {
        images,
        labels: Array1::from_iter([3, 7].into_iter().cycle().take(count)),
    })
}

fn plan(epochs: usize) -> Plan {
    Plan {
        network: NetworkConfig::reference(2),
        training: TrainingConfig::new(epochs, 8),
        devices: vec![device()],
        side: 14,
        train: split(80),
        test: split(20),
    }
}

fn train_in<A: Candidate>(directory: &Path, epochs: usize) -> (Network<A, Identity>, Vec<Epoch>) {
    train(&plan(epochs), "test", 1, directory).unwrap()
}

#[test]
fn a_simple_task_is_learnt() {
    let _turn = turn();
    let directory = tempfile::tempdir().unwrap();
    let (_, epochs) = train_in::<Relu>(directory.path(), 4);
    assert_eq!(epochs.len(), 4);
    assert!(epochs[3].loss < epochs[0].loss);
    assert!(epochs[3].accuracy > 99.0, "{}", epochs[3].accuracy);
    assert!(epochs.iter().all(|epoch| epoch.losses.len() == 10));
}

#[test]
fn devices_share_each_batch() {
    let _turn = turn();
    let directory = tempfile::tempdir().unwrap();
    let plan = Plan {
        devices: vec![device(), device()],
        ..plan(4)
    };
    let (_, epochs) = train::<Layer<DyReluB>, Identity>(&plan, "test", 1, directory.path()).unwrap();
    assert_eq!(epochs.len(), 4);
    assert!(epochs[3].loss < epochs[0].loss);
    assert!(epochs[3].accuracy > 90.0, "{}", epochs[3].accuracy);
}

/// The values of all parameters and running statistics.
fn values(network: &impl Module) -> Vec<f32> {
    struct Values(Vec<f32>);
    impl ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.0.extend(parameter.val().try_into_vec_as::<f32>().unwrap());
        }
    }
    let mut values = Values(Vec::new());
    network.visit(&mut values);
    values.0
}

/// A program that was killed leaves complete checkpoints, and maybe a part of another one.
#[test]
fn a_training_goes_on_as_if_it_had_not_been_interrupted() {
    let _turn = turn();
    let directory = tempfile::tempdir().unwrap();
    let (network, epochs) = train_in::<Layer<DyReluB>>(directory.path(), 4);
    let checkpoint = directory.path().join("checkpoint");
    let mut files: Vec<_> = fs::read_dir(&checkpoint)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "journal-3.json",
            "journal-4.json",
            "model-3.bpk",
            "model-4.bpk",
            "optimizer-3.bpk",
            "optimizer-4.bpk",
            "scheduler-3.bpk",
            "scheduler-4.bpk",
        ]
    );
    fs::remove_file(checkpoint.join("scheduler-4.bpk")).unwrap();

    let (resumed, resumed_epochs) = train_in::<Layer<DyReluB>>(directory.path(), 4);
    assert_eq!(values(&resumed), values(&network));
    let without_times = |epochs: &[Epoch]| -> Vec<_> {
        epochs
            .iter()
            .map(|epoch| (epoch.losses.clone(), epoch.accuracy))
            .collect()
    };
    assert_eq!(without_times(&resumed_epochs), without_times(&epochs));

    // Nothing is left to do.
    let (again, _) = train_in::<Layer<DyReluB>>(directory.path(), 4);
    assert_eq!(values(&again), values(&network));
}

#[test]
fn the_same_seed_gives_the_same_network() {
    let _turn = turn();
    let train = || {
        let directory = tempfile::tempdir().unwrap();
        values(&train_in::<ReluSe>(directory.path(), 1).0)
    };
    assert_eq!(train(), train());
}

#[test]
fn a_finished_run_is_not_repeated() {
    let _turn = turn();
    let directory = tempfile::tempdir().unwrap();
    let run = || Run::of::<Relu, Identity>(&plan(1), "test", 0, directory.path()).unwrap();
    let first = run();
    assert_eq!(run(), first);
    assert!(directory.path().join("network.bpk").exists());
    assert!(!directory.path().join("checkpoint").exists());
}
